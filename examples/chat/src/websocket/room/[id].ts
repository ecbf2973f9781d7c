import { defineService, info, reply, type, type ServiceContext } from "windsock";
import { z } from "zod";

/** What a page is sent. */
export type RoomEvent =
  | { type: "said"; name: string; text: string; at: string }
  | { type: "people"; names: string[] }
  | { type: "typing"; names: string[] };

/** A room of its own for each id: `/websocket/room/tea?name=Ada`. */
export default defineService({
  params: ["id"],
  // An id that does not fit gets 404, before a room is opened for it.
  key: z.object({ id: z.string().regex(/^[a-z0-9-]{1,30}$/) }),
  // What a page may send. Anything else closes its socket with 1007, and says why.
  incoming: z.discriminatedUnion("type", [
    z.object({ type: z.literal("say"), text: z.string().trim().min(1).max(500) }),
    z.object({ type: z.literal("typing") }),
  ]),
  outgoing: type<RoomEvent>(),
  info: type<{ type: "quiet"; clientId: string }>(),
  calls: { people: { response: type<string[]>() } },
  history: { messages: 50 },

  // Runs before the client joins. What it returns is `client.user`; a Response refuses.
  authorize({ url }) {
    const name = url.searchParams.get("name")?.trim() ?? "";
    if (name.length >= 1 && name.length <= 20) return { name };
    return new Response("Expected ?name= with 1 to 20 characters.\n", { status: 400 });
  },

  // Who is typing, by client, each with the timer that ends it.
  init: () => new Map<string, { cancel(): void }>(),

  handleJoin(client, _typing, service) {
    // What was said before comes first, then what is said from now on.
    client.subscribe("talk", { from: 0 });
    tellPeople(service);
  },

  handleClose(client, _reason, typing, service) {
    tellPeople(service);
    if (endTyping(client.id, typing)) tellTyping(typing, service);
  },

  handleIncoming(client, message, typing, service) {
    const wasTyping = endTyping(client.id, typing);
    if (message.type === "typing") {
      typing.set(client.id, service.sendAfter({ type: "quiet", clientId: client.id }, 3000));
    } else {
      const { name } = client.user;
      service.publish("talk", { type: "said", name, text: message.text, at: new Date().toJSON() });
    }
    if (wasTyping !== typing.has(client.id)) tellTyping(typing, service);
  },

  handleInfo(message, typing, service) {
    if (message.type === "quiet" && typing.delete(message.clientId)) tellTyping(typing, service);
  },

  // For other parts of the server: `await call(at(room, { id: "tea" }), "people")`.
  handleCall: {
    people: (_client, _request, _typing, service) => reply(namesOf(service.clients())),
  },
});

type Typing = Map<string, { cancel(): void }>;
type Person = { readonly id: string; readonly user: { readonly name: string } };
type Room = ServiceContext<RoomEvent, never, {}, Person>;

/** What is true only now is sent, not published: it does not belong in the log. */
function tellPeople(room: Room): void {
  const names = namesOf(room.clients());
  room.sendAll(room.clients(), { type: "people", names });
  info("rooms", { type: "count", room: room.key, people: names.length });
}

function tellTyping(typing: Typing, room: Room): void {
  const typists = [...room.clients()].filter(({ id }) => typing.has(id));
  room.sendAll(room.clients(), { type: "typing", names: namesOf(typists) });
}

/** Whether the client was typing. */
function endTyping(clientId: string, typing: Typing): boolean {
  typing.get(clientId)?.cancel();
  return typing.delete(clientId);
}

function namesOf(people: Iterable<Person>): string[] {
  return Array.from(people, ({ user }) => user.name);
}
