// What comes in and goes out, by schemas of three libraries and by types alone.
import { type } from "arktype";
import * as v from "valibot";
import { expectTypeOf, test } from "vitest";
import {
  broadcast,
  defineService,
  type as typed,
  type Client,
  type Sendable,
  type TypesOf,
  type Unchecked,
} from "windsock";
import { z } from "zod";

test("zod: the client sends the input, the handler gets the output", () => {
  const service = defineService({
    incoming: z.object({ at: z.string().transform(Number), tag: z.string().default("none") }),
    handleIncoming(_client, message) {
      expectTypeOf(message).toEqualTypeOf<{ at: number; tag: string }>();
    },
  });
  expectTypeOf<TypesOf<typeof service>["incoming"]>().toEqualTypeOf<{
    at: string;
    tag?: string | undefined;
  }>();
});

test("valibot: the client sends the input, the handler gets the output", () => {
  const service = defineService({
    incoming: v.object({ at: v.pipe(v.string(), v.transform(Number)) }),
    handleIncoming(_client, message) {
      expectTypeOf(message).toEqualTypeOf<{ at: number }>();
    },
  });
  expectTypeOf<TypesOf<typeof service>["incoming"]>().toEqualTypeOf<{ at: string }>();
});

test("arktype: the client sends the input, the handler gets the output", () => {
  const service = defineService({
    incoming: type({ at: "string.numeric.parse", kind: "'a' | 'b'" }),
    handleIncoming(_client, message) {
      expectTypeOf(message).toEqualTypeOf<{ at: number; kind: "a" | "b" }>();
    },
  });
  expectTypeOf<TypesOf<typeof service>["incoming"]>().toEqualTypeOf<{
    at: string;
    kind: "a" | "b";
  }>();
});

test("a union that a schema tells apart is narrowed in the handler", () => {
  defineService({
    incoming: z.discriminatedUnion("type", [
      z.object({ type: z.literal("say"), text: z.string() }),
      z.object({ type: z.literal("leave") }),
    ]),
    handleIncoming(_client, message) {
      if (message.type === "say") expectTypeOf(message.text).toEqualTypeOf<string>();
      else expectTypeOf(message).toEqualTypeOf<{ type: "leave" }>();
    },
  });
});

test("without `incoming` a message is what JSON or a binary frame can hold", () => {
  defineService({
    handleIncoming(_client, message) {
      expectTypeOf(message).toEqualTypeOf<Unchecked>();
    },
  });
});

test("`incoming` takes no bare type: nothing would check it", () => {
  defineService({
    // @ts-expect-error -- a schema is needed
    incoming: typed<{ rebuild: string }>(),
  });
});

test("an outgoing schema: the service sends its input, the client receives its output", () => {
  const service = defineService({
    outgoing: z.object({ at: z.date().transform((date) => date.getTime()) }),
    handleJoin(client, _state, { publish, sendAll, clients }) {
      client.send({ at: new Date() });
      publish({ at: new Date() });
      sendAll(clients(), { at: new Date() });
      // @ts-expect-error -- the output
      client.send({ at: 1 });
    },
  });
  expectTypeOf<TypesOf<typeof service>["outgoing"]>().toEqualTypeOf<{ at: number }>();
  broadcast(service, { at: new Date() });
  // @ts-expect-error -- the output
  broadcast(service, { at: 1 });
});

test("without `outgoing` anything may be sent that is text, bytes or JSON", () => {
  defineService({
    handleJoin(client) {
      expectTypeOf(client).toEqualTypeOf<Client<Sendable, undefined, {}>>();
      client.send("text");
      client.send(new Uint8Array(1));
      client.send({ json: [1, true, null] });
      // @ts-expect-error -- not JSON
      client.send(undefined);
      // @ts-expect-error -- not JSON
      client.send(1n);
    },
  });
});

test("handleBroadcast may take another type than clients get", () => {
  const service = defineService({
    outgoing: typed<{ text: string }>(),
    handleBroadcast(code: number, _state, { publish }) {
      publish({ text: String(code) });
    },
  });
  broadcast(service, 404);
  // @ts-expect-error -- what clients get
  broadcast(service, { text: "404" });
});

test("handleBroadcast without an annotation takes what clients get", () => {
  const service = defineService({
    outgoing: typed<{ text: string }>(),
    handleBroadcast(message, _state, { publish }) {
      expectTypeOf(message).toEqualTypeOf<{ text: string }>();
      publish(message);
    },
  });
  broadcast(service, { text: "hello" });
});

test("a list of clients must be able to take what the service sends", () => {
  type StatusEvent = { type: "done" };
  defineService({
    outgoing: typed<StatusEvent>(),
    init: () => [] as Client<StatusEvent>[],
    handleJoin: (client, clients) => [...clients, client],
  });
  defineService({
    outgoing: typed<StatusEvent>(),
    init: () => [] as Client[],
    // @ts-expect-error -- a bare Client takes anything, this one takes a StatusEvent only
    handleJoin: (client, clients) => [...clients, client],
  });
});
