// Services as targets, in a program that has declared no names: `Services` is empty.
import { expectTypeOf, test } from "vitest";
import {
  at,
  broadcast,
  call,
  defineService,
  info,
  reply,
  type,
  type Service,
  type ServiceName,
} from "windsock";

const status = defineService({ outgoing: type<{ type: "done" }>() });
const plain = defineService({ handleBroadcast(_message: string) {} });
const room = defineService({
  params: ["id"],
  outgoing: type<{ text: string }>(),
  calls: { members: { response: type<string[]>() } },
  handleCall: { members: () => reply([]) },
  handleJoin(client, _state, service) {
    expectTypeOf(client.params).toEqualTypeOf<{ readonly id: string }>();
    expectTypeOf(service.params).toEqualTypeOf<{ readonly id: string }>();
    // @ts-expect-error -- the file's name has no such part
    void client.params.name;
  },
});
const cell = defineService({ params: ["row", "column"] });

test("while no names are declared, a name is a string and says nothing about messages", () => {
  expectTypeOf<ServiceName>().toEqualTypeOf<string>();
  broadcast("status", { any: "thing" });
  broadcast(`room/${"42"}`, "text");
  info("status", { any: "thing" });
  expectTypeOf(call("status", "ping")).toEqualTypeOf<Promise<unknown>>();
  void call("status", "rebuild", { ref: "main" }, { timeoutMs: 1 });
});

test("a keyed service is addressed with at", () => {
  broadcast(at(room, { id: "42" }), { text: "hello" });
  expectTypeOf(call(at(room, { id: "42" }), "members")).toEqualTypeOf<Promise<string[]>>();
  // @ts-expect-error -- another message
  broadcast(at(room, { id: "42" }), { txt: "hello" });
  // @ts-expect-error -- which room?
  broadcast(room, { text: "hello" });
  // @ts-expect-error -- which room?
  void call(room, "members");
});

test("at takes every key of the name, and no other", () => {
  broadcast(at(cell, { row: "1", column: "2" }), "x");
  // @ts-expect-error -- `column` is missing
  at(cell, { row: "1" });
  // @ts-expect-error -- another key
  at(room, { name: "42" });
  // @ts-expect-error -- keys are text
  at(room, { id: 42 });
  // @ts-expect-error -- it has no keys
  at(status, { id: "42" });
});

test("one of several services takes what all of them take", () => {
  const either = (): typeof status | typeof plain => status;
  // @ts-expect-error -- `plain` does not take it
  broadcast(either(), { type: "done" });
  // @ts-expect-error -- `status` does not take it
  broadcast(either(), "done");
});

test("a service of unknown types takes anything", () => {
  const unknown: Service = status;
  const all: Record<string, Service> = { status, plain, "room/[id]": room };
  broadcast(unknown, { any: "thing" });
  broadcast(Object.values(all)[0]!, 1);
});

test("nothing but a service or a name is a target", () => {
  // @ts-expect-error -- not a service
  broadcast({ init: () => 0 }, "x");
  // @ts-expect-error -- not a service
  broadcast(undefined, "x");
});
