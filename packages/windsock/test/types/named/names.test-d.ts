// Services as targets, by name and by module, in a program whose windsock.d.ts declares the names.
import { expectTypeOf, test } from "vitest";
import {
  at,
  broadcast,
  call,
  defineService,
  info,
  type Server,
  type ServiceName,
  type Services,
  type TypesOf,
} from "windsock";
import build from "./websocket/build.ts";
import room from "./websocket/room/[id].ts";
import status from "./websocket/status.ts";

declare const id: string;

test("the declared names are the names, with anything for a key", () => {
  expectTypeOf<ServiceName>().toEqualTypeOf<
    | "build"
    | "games/ping"
    | "games/pong"
    | "status"
    | "room/lobby"
    | `room/${string}`
    | `room/${string}/log`
  >();
  expectTypeOf<TypesOf<Services["status"]>["broadcast"]>().toEqualTypeOf<string>();
});

test("broadcast by name and by module", () => {
  broadcast("status", "one");
  broadcast(status, "one");
  broadcast("build", { type: "started", id: 1 });
  broadcast(build, { type: "started", id: 1 });
  // @ts-expect-error -- this service broadcasts strings
  broadcast("status", 1);
  // @ts-expect-error -- this service broadcasts strings
  broadcast(status, 1);
  // @ts-expect-error -- no such event
  broadcast("build", { type: "stopped", id: 1 });
});

test("a name that does not exist", () => {
  // @ts-expect-error -- "statsu"
  broadcast("statsu", "one");
  // @ts-expect-error -- "statsu"
  info("statsu", "one");
  // @ts-expect-error -- "statsu"
  void call("statsu", "ping");
  // @ts-expect-error -- "statsu"
  broadcast(`statsu/${id}`, "one");
  // @ts-expect-error -- it has no keys
  broadcast(`status/${id}`, "one");
  const any: string = id;
  // @ts-expect-error -- any string
  broadcast(any, "one");
});

test("a module outside of the services folder is a target too", () => {
  const extra = defineService({ handleBroadcast(_message: number) {} });
  broadcast(extra, 1);
  // @ts-expect-error -- this service broadcasts numbers
  broadcast(extra, "one");
});

test("one actor of a keyed service, by name and by module", () => {
  broadcast("room/42", { text: "hello" });
  broadcast(`room/${id}`, { text: "hello" });
  broadcast(at(room, { id }), { text: "hello" });
  // @ts-expect-error -- another message
  broadcast(`room/${id}`, { txt: "hello" });
  // @ts-expect-error -- which room?
  broadcast(room, { text: "hello" });
  // @ts-expect-error -- which room?
  broadcast("room", { text: "hello" });
});

test("of several names that begin alike, each gets its own messages", () => {
  broadcast("room/lobby", { waiting: 1 });
  broadcast("room/42/log", { line: 1 });
  broadcast(`room/${id}/log`, { line: 1 });
  // @ts-expect-error -- the lobby is no room with an id
  broadcast("room/lobby", { text: "hello" });
  // @ts-expect-error -- the log is no room
  broadcast(`room/${id}/log`, { text: "hello" });
  // @ts-expect-error -- nothing is there
  broadcast("room/42/members", { text: "hello" });
});

test("calls by name", () => {
  expectTypeOf(call("build", "rebuild", { ref: "main" })).toEqualTypeOf<Promise<{ id: number }>>();
  expectTypeOf(call("build", "rebuild", {})).toEqualTypeOf<Promise<{ id: number }>>();
  expectTypeOf(call("build", "cancel")).toEqualTypeOf<Promise<undefined>>();
  expectTypeOf(call(`room/${id}`, "members")).toEqualTypeOf<Promise<readonly string[]>>();
  // @ts-expect-error -- the request is missing
  void call("build", "rebuild");
  // @ts-expect-error -- another request
  void call("build", "rebuild", { ref: 1 });
  // @ts-expect-error -- "rebuidl"
  void call("build", "rebuidl", { ref: "main" });
  // @ts-expect-error -- it answers no calls
  void call("status", "rebuild");
});

test("infos by name", () => {
  info("build", { type: "finished", ok: true });
  // @ts-expect-error -- time-outs come from `noreply` only
  info("build", { type: "timeout" });
  // @ts-expect-error -- it declares no info
  info("status", { type: "finished", ok: true });
});

test("one of several names takes what all of them take", () => {
  const name = (): "status" | "build" => "status";
  // @ts-expect-error -- `build` does not take it
  broadcast(name(), "one");
  // @ts-expect-error -- `status` does not take it
  broadcast(name(), { type: "started", id: 1 });
});

test("the functions of a server know the names", () => {
  const use = (server: Server): void => {
    server.broadcast(`room/${id}`, { text: "hello" });
    expectTypeOf(server.call("build", "cancel")).toEqualTypeOf<Promise<undefined>>();
    // @ts-expect-error -- "statsu"
    server.broadcast("statsu", "one");
    // @ts-expect-error -- this service broadcasts strings
    server.broadcast("status", 1);
  };
  void use;
});
