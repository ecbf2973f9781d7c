import { defineService, reply, type } from "windsock";

export default defineService({
  params: ["id"],
  outgoing: type<{ readonly text: string }>(),
  calls: { members: { response: type<readonly string[]>() } },
  handleCall: {
    members: (_client, _request, _state, service) =>
      reply(Array.from(service.clients(), ({ id }) => id)),
  },
});
