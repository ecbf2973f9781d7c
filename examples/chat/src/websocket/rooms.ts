import { at, call, defineService, type } from "windsock";
import { z } from "zod";
import room from "./room/[id].ts";

export type RoomsEvent =
  | { type: "rooms"; rooms: { room: string; people: number }[] }
  | { type: "who"; room: string; names: string[] };

/** Which rooms are open. They tell it themselves; it asks one when a page asks who is there. */
export default defineService({
  incoming: z.object({ type: z.literal("who"), room: z.string().max(30) }),
  outgoing: type<RoomsEvent>(),
  info: type<{ type: "count"; room: string; people: number }>(),

  init: () => new Map<string, number>(),

  handleJoin(client, counts) {
    client.send(roomsEvent(counts));
  },

  async handleIncoming(client, { room: id }, counts) {
    // One service waits for another's answer, at most 5 s.
    const names = counts.has(id) ? await call(at(room, { id }), "people") : [];
    client.send({ type: "who", room: id, names });
  },

  handleInfo(message, counts, service) {
    if (message.type !== "count") return;
    if (message.people > 0) counts.set(message.room, message.people);
    else counts.delete(message.room);
    service.sendAll(service.clients(), roomsEvent(counts));
  },
});

function roomsEvent(counts: ReadonlyMap<string, number>): RoomsEvent {
  const rooms = Array.from(counts, ([name, people]) => ({ room: name, people }));
  return { type: "rooms", rooms };
}
