// The client's types, in a program that has declared no names: by the service's file.
import { expectTypeOf, test } from "vitest";
import { defineService, reply, type } from "windsock";
import {
  connect,
  createClient,
  type Channel,
  type ChannelEvent,
  type ChannelHandlers,
  type ChannelState,
  type ClientError,
  type MessageSource,
} from "windsock/client";
import { z } from "zod";

type Event = { type: "started"; at: Date } | { type: "log"; lines: readonly string[] };

const build = defineService({
  incoming: z.object({ rebuild: z.string().transform((text) => text.length) }),
  outgoing: type<Event>(),
  calls: {
    rebuild: {
      request: z.object({ branch: z.string().default("main") }),
      response: type<{ queued: number; since: Date }>(),
    },
    cancel: {},
  },
  handleCall: {
    rebuild: () => reply({ queued: 1, since: new Date() }),
    cancel: () => reply(undefined),
  },
});
const plain = defineService({ handleBroadcast(_message: string) {} });
const bytes = defineService({ outgoing: type<Uint8Array>() });

const channel = connect<typeof build>("build");

test("messages are what the service sends, as JSON leaves it", async () => {
  for await (const event of channel) {
    expectTypeOf(event).toEqualTypeOf<
      { type: "started"; at: string } | { type: "log"; lines: readonly string[] }
    >();
  }
  channel.on("message", (event, { source }) => {
    if (event.type === "started") expectTypeOf(event.at).toEqualTypeOf<string>();
    expectTypeOf(source).toEqualTypeOf<MessageSource>();
  });
  channel.on("snapshot", (event) => {
    if (event.type === "log") expectTypeOf(event.lines).toEqualTypeOf<readonly string[]>();
  });
  for await (const message of connect<typeof bytes>("bytes"))
    expectTypeOf(message).toEqualTypeOf<Uint8Array>();
});

test("sends are what the schema takes, not what the handler gets", () => {
  expectTypeOf(channel.send({ rebuild: "main" })).toEqualTypeOf<Promise<void>>();
  void channel.send({ rebuild: "main" }, { retry: true });
  // @ts-expect-error -- the handler gets the number
  void channel.send({ rebuild: 1 });
  // @ts-expect-error -- another message
  void channel.send({ rebuilt: "main" });
  // @ts-expect-error -- no such option
  void channel.send({ rebuild: "main" }, { again: true });
  void connect<typeof plain>("plain").send("text");
  void connect<typeof plain>("plain").send({ any: ["json"] });
  // @ts-expect-error -- no JSON value
  void connect<typeof plain>("plain").send(() => {});
});

test("calls have the declared names, requests and responses", () => {
  expectTypeOf(channel.call("rebuild", { branch: "main" })).toEqualTypeOf<
    Promise<{ queued: number; since: string }>
  >();
  void channel.call("rebuild", {}, { timeoutMs: 100, signal: AbortSignal.timeout(1) });
  expectTypeOf(channel.call("cancel")).toEqualTypeOf<Promise<undefined>>();
  void channel.call("cancel", undefined, { timeoutMs: 1 });
  // @ts-expect-error -- the request is missing
  void channel.call("rebuild");
  // @ts-expect-error -- another request
  void channel.call("rebuild", { branch: 1 });
  // @ts-expect-error -- "rebuidl"
  void channel.call("rebuidl", {});
  // @ts-expect-error -- it declares no calls
  void connect<typeof plain>("plain").call("rebuild");
});

test("the state is one union, and each state has its own data only", () => {
  const state: ChannelState = channel.state;
  switch (state.type) {
    case "open":
      expectTypeOf(state.id).toEqualTypeOf<string>();
      // @ts-expect-error -- it is not trying
      void state.retryInMs;
      break;
    case "connecting":
    case "resuming":
      expectTypeOf(state.retryInMs).toEqualTypeOf<number>();
      break;
    case "suspended":
      expectTypeOf(state.error).toEqualTypeOf<ClientError>();
      break;
    case "draining":
      expectTypeOf(state.withinMs).toEqualTypeOf<number>();
      break;
    case "closed":
      expectTypeOf(state.error).toEqualTypeOf<ClientError | undefined>();
      break;
    default:
      expectTypeOf(state).toBeNever();
  }
});

test("handlers are called with what their event says", () => {
  expectTypeOf(channel.on("state", (state) => void state.type)).toEqualTypeOf<() => void>();
  channel.on("presence", ({ join, leave }) => {
    expectTypeOf(leave).toEqualTypeOf<readonly string[]>();
    expectTypeOf(join[0]!.id).toEqualTypeOf<string>();
  });
  channel.on("error", ({ code, retryAfterMs }) => {
    expectTypeOf(retryAfterMs).toEqualTypeOf<number | undefined>();
    // @ts-expect-error -- no such code
    void (code === "WINDSOCK_OTHER");
  });
  channel.on("version", (version, { previous }) => void (version + previous));
  // @ts-expect-error -- no such event
  channel.on("opened", () => {});
});

test("every event has a handler, and every handler an event", () => {
  expectTypeOf<keyof ChannelHandlers<typeof build>>().toEqualTypeOf<
    ChannelEvent<typeof build>["type"]
  >();
  expectTypeOf<Parameters<typeof channel.on>[0]>().toEqualTypeOf<
    ChannelEvent<typeof build>["type"]
  >();
});

test("presence has the type of what the service says of a client", () => {
  interface Person {
    readonly id: string;
    readonly name: string;
    readonly since: Date;
  }
  const lounge = defineService({
    authorize: () => ({ name: "Ann" }),
    presence: {
      entry: (client): Person => ({ id: client.id, name: client.user.name, since: new Date() }),
    },
  });
  connect<typeof lounge>("lounge").on("presence", ({ join: [one] }) => {
    expectTypeOf(one!.name).toEqualTypeOf<string>();
    expectTypeOf(one!.since).toEqualTypeOf<string>();
  });
  const inferred = defineService({
    authorize: () => ({ name: "Ann" }),
    presence: { entry: ({ id, user }) => ({ id, name: user.name }) },
  });
  connect<typeof inferred>("inferred").on("presence", ({ join: [one] }) => {
    expectTypeOf(one!.name).toEqualTypeOf<string>();
  });
  const byUser = defineService({ presence: true });
  connect<typeof byUser>("by-user").on("presence", ({ join: [one] }) => {
    expectTypeOf(one!["name"]).toEqualTypeOf<unknown>();
  });
  // @ts-expect-error -- an entry needs an `id`
  defineService({ presence: { entry: () => ({ name: "Ann" }) } });
});

test("events are one union", async () => {
  for await (const event of channel.events()) {
    if (event.type === "message" && event.message.type === "started")
      expectTypeOf(event.message.at).toEqualTypeOf<string>();
    if (event.type === "restarted") expectTypeOf(event.seq).toEqualTypeOf<number>();
  }
});

test("while no names are declared, any name will do, and says nothing about messages", () => {
  const status = connect("status");
  void status.send({ any: "thing" });
  expectTypeOf(status.call("anything", 1)).toEqualTypeOf<Promise<unknown>>();
  status.on("message", (message) => expectTypeOf(message).toEqualTypeOf<unknown>());
  void createClient().connect<typeof build>("build").send({ rebuild: "main" });
  const name: string = "room/42";
  connect(name);
});

test("a channel can be handed on", () => {
  const show = (one: Channel<typeof build>): void => void one.state;
  show(channel);
  // @ts-expect-error -- another service
  show(connect<typeof bytes>("bytes"));
});
