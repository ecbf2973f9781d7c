// What the guide shows first, word for word.
import { expectTypeOf, test } from "vitest";
import {
  broadcast,
  defineService,
  type,
  type Client,
  type JsonValue,
  type PresenceEntry,
  type Sendable,
  type TypesOf,
  type Unchecked,
} from "windsock";
import { z } from "zod";

type StatusEvent = { type: "started"; id: number } | { type: "done" };

test("the seed program compiles as it stands, and its broadcast is a string", () => {
  const status = defineService({
    init: () => [] as Client[],
    handleJoin(client, clients) {
      client.send("Hello WebSocket!");
      return [client, ...clients];
    },
    handleClose(client, _reason, clients) {
      return clients.filter((other) => other !== client);
    },
    handleBroadcast(message: string, clients) {
      for (const client of clients) client.send(message);
    },
  });
  expectTypeOf<TypesOf<typeof status>>().toEqualTypeOf<{
    incoming: Unchecked;
    outgoing: Sendable;
    broadcast: string;
    info: never;
    calls: {};
    params: {};
    presence: PresenceEntry;
  }>();
  broadcast(status, "one");
  // @ts-expect-error -- this service broadcasts strings
  broadcast(status, 1);
});

test("the second program: checked messages in, typed messages out", () => {
  const status = defineService({
    incoming: z.object({ rebuild: z.string() }),
    outgoing: type<StatusEvent>(),
    history: { messages: 1000 },
    handleIncoming: (client, { rebuild }, _state, service) => {
      expectTypeOf(rebuild).toEqualTypeOf<string>();
      client.send({ type: "started", id: 1 });
      service.publish({ type: "done" });
      // @ts-expect-error -- not a StatusEvent
      service.publish({ type: "finished" });
    },
  });
  expectTypeOf<TypesOf<typeof status>>().toEqualTypeOf<{
    incoming: { rebuild: string };
    outgoing: StatusEvent;
    broadcast: StatusEvent;
    info: never;
    calls: {};
    params: {};
    presence: PresenceEntry;
  }>();
  broadcast(status, { type: "done" });
  // @ts-expect-error -- without a handler, a broadcast is what clients get
  broadcast(status, "done");
});

test("an empty definition is a service, and says nothing about its messages", () => {
  const empty = defineService({});
  expectTypeOf<TypesOf<typeof empty>["incoming"]>().toEqualTypeOf<JsonValue | Uint8Array>();
  broadcast(empty, "text");
  broadcast(empty, new Uint8Array(1));
  broadcast(empty, { any: ["json", 1, null] });
  // @ts-expect-error -- nothing that could be sent
  broadcast(empty, undefined);
});
