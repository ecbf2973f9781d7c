import { defineService } from "windsock";
import { z } from "zod";
import { admit } from "../../../auth/admit.ts";
import { shelfOf } from "../../../log/log-shelf.ts";
import { parseLogName, type LogEnd } from "../../../log/step-log-reader.ts";
import { currentAutobuild } from "../../../running.ts";

const topic = "bytes";
/** After the first byte the next ones wait so long, and never longer: steady output is told as soon as any. */
const throttleMs = 16;

/**
 * One log of a build as it grows: `/websocket/log/<build>/setup`, `/websocket/log/<build>/<step>.<attempt>`.
 *
 * Who sends `{"type":"follow","from":<byte>}` gets its bytes from there on, as binary messages at byte
 * offsets, and the end in words when it has come. A plain client says it in the address: `?from=<byte>`. A viewer
 * is a position in the file and nothing more: a slow one falls behind, and misses nothing.
 */
export default defineService({
  params: ["build", "log"],
  authorize(request) {
    const access = admit(request, "viewer");
    if (access instanceof Response) return access;
    const [build = "", name = ""] = request.url.pathname.split("/").slice(-2);
    const isKnown = /^[1-9]\d{0,14}$/.test(build) && parseLogName(name) !== undefined;
    if (!isKnown || currentAutobuild().builds.get(Number(build)) === undefined)
      return new Response(
        "Expected a build and a log of it, `setup` or `0.1`, got another one.\n",
        {
          status: 404,
        },
      );
    return access;
  },
  incoming: z.object({ type: z.literal("follow"), from: z.int().min(0) }),
  init(service) {
    const { on } = currentAutobuild();
    const buildId = Number(service.params.build);
    const log = () => shelfOf(currentAutobuild()).get(buildId, service.params.log)?.reader;
    service.log(topic, {
      head: () => log()?.length ?? 0,
      async read(from, maxBytes) {
        const reader = log();
        await reader?.refresh();
        const bytes = (await reader?.read(from, maxBytes)) ?? new Uint8Array();
        return { messages: bytes.length === 0 ? [] : [bytes], next: from + bytes.length };
      },
    });
    let timer: NodeJS.Timeout | undefined;
    let isDue = false;
    let isEndTold = false;
    const tell = (): void => {
      if (timer !== undefined) {
        isDue = true;
        return;
      }
      timer = setTimeout(() => {
        timer = undefined;
        if (!isDue) return;
        isDue = false;
        tell();
      }, throttleMs);
      service.advance(topic);
      // A file that cannot be read now may be when something happens next.
      if (!isEndTold) tellEnd().catch(() => {});
    };
    const tellEnd = async (): Promise<void> => {
      const reader = log();
      await reader?.refresh();
      if (isEndTold || reader?.end === undefined || service.signal.aborted) return;
      isEndTold = true;
      service.advance(topic);
      service.publish(endOf(reader.end));
    };
    const { position, attempt } = parseLogName(service.params.log) ?? {
      position: null,
      attempt: 1,
    };
    const ends = [
      on("logAdvanced", (grown) => {
        if (grown.buildId === buildId && grown.position === position && grown.attempt === attempt)
          tell();
      }),
      on("buildChanged", ({ id }) => {
        if (id === buildId) tell();
      }),
    ];
    service.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      for (const end of ends) end();
    });
  },
  handleJoin(client) {
    if (client.protocol === "windsock.v1") return;
    const from = Number(client.request.url.searchParams.get("from") ?? 0);
    client.subscribe(topic, { from: Number.isSafeInteger(from) && from > 0 ? from : 0 });
  },
  async handleIncoming(client, { from }, _state, service) {
    const reader = shelfOf(currentAutobuild()).get(
      Number(service.params.build),
      service.params.log,
    )?.reader;
    await reader?.refresh();
    client.unsubscribe(topic);
    client.subscribe(topic, { from: Math.min(from, reader?.length ?? 0) });
    if (reader?.end !== undefined) client.send(endOf(reader.end));
  },
});

function endOf(end: LogEnd): { readonly type: "end" } & LogEnd {
  return { type: "end", ...end };
}
