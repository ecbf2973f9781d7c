// The client in a program whose windsock.d.ts declares the names.
import { expectTypeOf, test } from "vitest";
import { connect } from "windsock/client";
import type status from "./websocket/status.ts";

declare const id: string;

test("a declared name gives the types of its service", async () => {
  const build = connect("build");
  expectTypeOf(build.call("rebuild", { ref: "main" })).toEqualTypeOf<Promise<{ id: number }>>();
  expectTypeOf(build.call("cancel")).toEqualTypeOf<Promise<undefined>>();
  // @ts-expect-error -- the request is missing
  void build.call("rebuild");
  for await (const event of build) expectTypeOf(event.type).toEqualTypeOf<"started" | "done">();
});

test("one actor of a keyed service, by its address", () => {
  const room = connect(`room/${id}`);
  expectTypeOf(room.call("members")).toEqualTypeOf<Promise<readonly string[]>>();
  room.on("message", ({ text }) => expectTypeOf(text).toEqualTypeOf<string>());
  connect("room/42").on("message", ({ text }) => void text);
  connect("room/lobby").on("message", ({ waiting }) => void waiting);
  connect(`room/${id}/log`).on("message", ({ line }) => void line);
});

test("a query is no part of the name", () => {
  expectTypeOf(connect("build?ref=main").call("cancel")).toEqualTypeOf<Promise<undefined>>();
  connect("build", { query: { ref: "main" } });
});

test("a name that does not exist does not compile", () => {
  // @ts-expect-error -- "statsu"
  connect("statsu");
  // @ts-expect-error -- which room?
  connect("room");
  // @ts-expect-error -- it has no keys
  connect(`status/${id}`);
  // @ts-expect-error -- any string
  connect(id);
});

test("the service's file says as much, whatever is declared", () => {
  connect<typeof status>("elsewhere").on("message", (message) => void message);
});
