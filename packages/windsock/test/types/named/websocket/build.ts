import { broadcast, defineService, info, noreply, reply, type } from "windsock";
import { z } from "zod";

export type BuildEvent =
  | { readonly type: "started"; readonly id: number }
  | { readonly type: "done"; readonly id: number; readonly ok: boolean };

export default defineService({
  incoming: z.object({ rebuild: z.string().transform(Number) }),
  outgoing: type<BuildEvent>(),
  info: type<{ readonly type: "finished"; readonly ok: boolean }>(),
  calls: {
    rebuild: {
      request: z.object({ ref: z.string().default("main") }),
      response: type<{ id: number }>(),
    },
    cancel: {},
  },
  authorize: (request) =>
    request.headers.has("authorization") ? { name: "ada" } : new Response(null, { status: 401 }),
  init: () => ({ id: 0, phase: "idle" as "idle" | "busy" }),
  handleIncoming(_client, { rebuild }, state, service) {
    service.publish({ type: "started", id: rebuild });
    broadcast("status", `rebuilding ${rebuild}`);
    return { ...state, id: rebuild, phase: "busy" };
  },
  handleInfo(message, state) {
    if (message.type === "timeout") info("build", { type: "finished", ok: false });
    return noreply({ ...state, phase: "idle" });
  },
  handleCall: {
    rebuild: (_client, { ref }, state) => reply({ id: ref.length }, { ...state, phase: "busy" }),
    cancel: () => reply(),
  },
});
