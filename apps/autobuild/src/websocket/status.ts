import { defineService } from "windsock";
import { admit } from "../auth/admit.ts";
import { chunkOf, whenever } from "../log/log-chunk.ts";
import { currentAutobuild } from "../running.ts";

const topic = "console";

/**
 * What is built, line by line, as plain text: one message is one or more whole lines.
 *
 * Who comes late gets the running build's log from its first line (or the last build's,
 * while none runs), and then whatever follows. Any WebSocket client can watch.
 */
export default defineService({
  authorize: (request) => admit(request, "viewer"),
  init(service) {
    const { console, on } = currentAutobuild();
    service.log(topic, {
      head: () => console.head(),
      read: async (from, maxBytes) => chunkOf(await console.read(from, maxBytes)),
    });
    whenever(on, "logAdvanced", service.signal, () => service.advance(topic));
  },
  handleJoin(client) {
    client.subscribe(topic, { from: startOfNewest() });
  },
});

/** Where the log of the build that started last begins. */
function startOfNewest(): number {
  const { builds, console } = currentAutobuild();
  for (const { id } of [...builds.running(), ...builds.list()]) {
    const start = console.startOf(id);
    if (start !== undefined) return start;
  }
  return 0;
}
