import { broadcast, call, defineService, reply, type } from "windsock";
import ping from "./ping.ts";

export default defineService({
  outgoing: type<string>(),
  calls: { hits: { response: type<number>() } },
  init: () => ({ hits: 0 }),
  async handleIncoming(_client, _message, state) {
    const theirs: number = await call(ping, "hits");
    broadcast(ping, `pong ${theirs}`);
    return { hits: state.hits + theirs };
  },
  handleBroadcast(message, _state, service) {
    service.publish(message);
    broadcast("games/ping", message);
  },
  handleCall: { hits: (_client, _request, state) => reply(state.hits) },
});
