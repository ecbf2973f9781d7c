// Ping and pong name each other. That compiles in this form: what a `call` gives is annotated, and
// no returned expression is made from it without that. Types would go round in a circle otherwise.
import { broadcast, call, defineService, reply, type } from "windsock";

export default defineService({
  outgoing: type<string>(),
  calls: { hits: { response: type<number>() } },
  init: () => ({ hits: 0 }),
  async handleIncoming(_client, _message, state) {
    const theirs: number = await call("games/pong", "hits");
    broadcast("games/pong", `ping ${theirs}`);
    return { hits: state.hits + theirs };
  },
  handleCall: { hits: (_client, _request, state) => reply(state.hits) },
});
