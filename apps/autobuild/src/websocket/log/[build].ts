import { defineService } from "windsock";
import { admit } from "../../auth/admit.ts";
import { chunkOf, whenever } from "../../log/log-chunk.ts";
import { currentAutobuild } from "../../running.ts";

const topic = "log";

/**
 * The log of one build, as `/websocket/status` sends it. `?from=<byte offset>` goes on
 * where an earlier connection ended: an offset is the bytes of all lines so far, newlines included.
 */
export default defineService({
  params: ["build"],
  authorize(request) {
    const access = admit(request, "viewer");
    if (access instanceof Response) return access;
    const id = request.url.pathname.split("/").at(-1) ?? "";
    // One name for each build: `0x1` and `01` would be further actors for the same log.
    if (!/^[1-9]\d{0,14}$/.test(id) || currentAutobuild().builds.get(Number(id)) === undefined)
      return new Response("Expected the number of a build, got one that there is not.\n", {
        status: 404,
      });
    return access;
  },
  init(service) {
    const id = Number(service.params.build);
    const { builds, on } = currentAutobuild();
    service.log(topic, {
      head: () => builds.log(id)?.length ?? 0,
      // A queued build has no log yet; it is looked for again when one grows.
      read: async (from, maxBytes) =>
        chunkOf((await builds.log(id)?.read(from, maxBytes)) ?? { text: "", next: from }),
    });
    whenever(on, "logAdvanced", service.signal, () => service.advance(topic));
  },
  handleJoin(client, _state, service) {
    const from = Number(client.request.url.searchParams.get("from") ?? 0);
    // Past the end is the end: a log gives no offset before the one that it was asked for.
    const end = currentAutobuild().builds.log(Number(service.params.build))?.length ?? 0;
    client.subscribe(topic, {
      from: Number.isSafeInteger(from) && from > 0 ? Math.min(from, end) : 0,
    });
  },
});
