import { expect, test } from "vitest";
import { defineService, reply, stop, type } from "../src/index.ts";
import type { Membership } from "../src/protocol/port.ts";
import { BrittleHistory, HostRig } from "./host-rig.ts";

const text = (value: string) => ({ kind: "json", bytes: Buffer.from(value) }) as const;

function membershipIn(rig: HostRig, mid: string): Membership {
  const joined = rig.outFor(mid).find((out) => out.type === "joined");
  if (joined?.type !== "joined" || joined.membership === undefined)
    throw new Error("Expected the client to have joined.");
  return joined.membership;
}

// `latest` is the app's code, and what comes from outside need not fit it. Thrown out of the
// port, its error went to whoever carries messages, and the question was never answered.
test("a publish that `history.latest` cannot take is answered, and reported", async () => {
  const rig = new HostRig({
    news: defineService({
      outgoing: type<{ id: string }>(),
      history: { latest: (message) => message.id.toUpperCase() },
    }),
  });
  rig.post({ type: "publish", address: "news", id: 1, value: text("null") });
  await rig.settle();
  expect(rig.messages).toMatchObject([{ type: "unavailable", id: 1 }]);
  expect(rig.reports).toMatchObject([{ type: "failure" }]);
});

// A state whose flush was not saved came back after a crash as it was before, while what the
// flush had sent stayed sent.
test("what a turn has flushed of a durable state outlives its crash", async () => {
  const counter = defineService({
    history: { durable: true },
    state: { durable: true },
    info: type<string>(),
    calls: { read: { response: type<number>() } },
    init: () => 0,
    async handleInfo(_info, state: number, service) {
      await service.flush(state + 1);
      throw new Error("boom");
    },
    handleCall: { read: (_client, _request, state: number) => reply(state) },
  });
  const rig = new HostRig({ counter });
  await rig.settle();
  rig.host.info("counter", "count");
  await rig.settle();
  await expect(rig.host.call("counter", "read", undefined)).resolves.toBe(1);
});

// `init` has opened what only `terminate` closes.
test("`terminate` follows an `init` whose saved state cannot be loaded", async () => {
  const history = new BrittleHistory();
  const told: string[] = [];
  const service = (load: (saved: unknown) => number) =>
    defineService({
      history: { durable: true },
      state: { durable: true, load, save: (state: number) => state },
      info: type<string>(),
      limits: { maxRestarts: 1 },
      init() {
        told.push("init");
        return 0;
      },
      handleInfo: (_info, state: number) => state + 1,
      terminate: () => void told.push("terminate"),
    });
  const before = new HostRig({ counter: service((saved) => saved as number) }, history);
  await before.settle();
  before.host.info("counter", "count");
  await before.settle();
  await before.host.drain();
  before.host.close();
  expect(told).toEqual(["init", "terminate"]);
  told.length = 0;
  const broken = (): never => {
    throw new Error("not of this version");
  };
  const after = new HostRig({ counter: service(broken) }, history);
  await after.settle();
  expect(told.slice(0, 2)).toEqual(["init", "terminate"]);
});

// It was closed and handed to the next incarnation as well, which joined a client that was gone.
test("who waits for a join when a history cannot be stored joins the next incarnation, and is not closed", async () => {
  const told: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const room = defineService({
    history: { durable: true },
    info: type<string>(),
    async handleInfo() {
      await promise;
    },
    handleJoin: (client) => void told.push(`${client.id} ${client.joinReason}`),
  });
  const rig = new HostRig({ room });
  rig.join("first", "room", { dialect: "v1" });
  await rig.settle();
  rig.history.failsToWrite = true;
  rig.post({ type: "acked", address: "room", mid: "first", count: 0 });
  rig.host.info("room", "wait");
  rig.join("second", "room");
  await rig.settle();
  rig.history.failsToWrite = false;
  resolve();
  await rig.settle();
  expect(rig.outFor("first")).toMatchObject([{ type: "joined" }, { type: "close" }]);
  expect(rig.outFor("second")).toMatchObject([{ type: "joined" }]);
  expect(told).toEqual(["first new", "first restart", "second new"]);
});

// The actor that is given up still has its running turn to end. A client that came back in the
// meantime was admitted to it, and heard nothing ever after.
test("nobody resumes with an actor whose history could not be stored", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const room = defineService({
    history: { durable: true },
    info: type<string>(),
    async handleInfo() {
      await promise;
    },
  });
  const rig = new HostRig({ room });
  rig.join("first", "room", { dialect: "v1" });
  await rig.settle();
  const { token, count } = membershipIn(rig, "first");
  const { epoch } = rig.messages.find((message) => message.type === "commit")!;
  rig.history.failsToWrite = true;
  rig.post({ type: "acked", address: "room", mid: "first", count: 0 });
  rig.host.info("room", "wait");
  await rig.settle();
  rig.join("second", "room", {
    dialect: "v1",
    resume: { token, epoch, seq: 0, count, tails: {} },
  });
  expect(rig.answersTo("second")).toMatchObject([{ type: "refused", status: 503 }]);
  resolve();
});

// Its error was thrown at whoever carries messages, and the join was never answered.
test("a join whose history cannot be read is refused, and reported", async () => {
  const room = defineService({
    history: { durable: true },
    info: type<string>(),
    handleInfo: () => stop("enough"),
  });
  const rig = new HostRig({ room });
  await rig.settle();
  rig.host.info("room", "stop");
  await rig.settle();
  rig.history.failsToLoad = true;
  rig.join("first", "room");
  expect(rig.answersTo("first")).toMatchObject([{ type: "refused", status: 503 }]);
  expect(rig.reports).toMatchObject([{ type: "failure" }]);
  rig.history.failsToLoad = false;
  rig.join("second", "room");
  expect(rig.answersTo("second")).toMatchObject([{ type: "admitted" }]);
});

// As above, in the middle of an actor's end: the error would have ended the process.
test("who waits for a join when a history cannot be read is closed", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const room = defineService({
    history: { durable: true },
    info: type<string>(),
    async handleInfo() {
      await promise;
      return stop("enough");
    },
  });
  const rig = new HostRig({ room });
  await rig.settle();
  rig.host.info("room", "stop");
  rig.join("first", "room");
  await rig.settle();
  rig.history.failsToLoad = true;
  resolve();
  await rig.settle();
  expect(rig.outFor("first")).toMatchObject([{ type: "close", comeBack: "retry" }]);
  expect(rig.reports).toMatchObject([{ type: "failure" }]);
  expect(rig.host.services()).toEqual([]);
});

// All that the join said was kept as the client's data, and stored with it.
test("a membership is stored without the token that its client came back with", async () => {
  const rig = new HostRig({ room: defineService({ history: { durable: true } }) });
  const secret = "c2VjcmV0LW9mLWEtZmFyLWF3YXktbWVtYmVyc2hpcA";
  rig.join("first", "room", {
    dialect: "v1",
    resume: { token: `gone.${secret}`, epoch: "another", seq: 0, count: 0, tails: {} },
  });
  await rig.settle();
  const [member] = rig.history.load("room")?.members ?? [];
  expect(member?.id).toBe("first");
  expect(Buffer.from(member?.data ?? []).includes(secret)).toBe(false);
});

// Nothing else would end its wait: it is held back until a snapshot says from where it goes on.
test("a client whose snapshot crashes joins anew, where the state stays", async () => {
  const told: string[] = [];
  const room = defineService({
    onCrash: "keep",
    init: () => 0,
    snapshot: (): never => {
      throw new Error("boom");
    },
    handleClose: (client) => void told.push(client.id),
  });
  const rig = new HostRig({ room });
  rig.join("first", "room", { dialect: "v1" });
  await rig.settle();
  rig.post({ type: "behind", address: "room", mid: "first" });
  await rig.settle();
  expect(rig.outFor("first")).toMatchObject([
    { type: "joined" },
    { type: "close", comeBack: "rejoin" },
  ]);
  expect(told).toEqual(["first"]);
});

// The next incarnation took the user that the join had come with.
test("who waits for a join keeps the user of a new token when the service stops", async () => {
  const users: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const room = defineService({
    info: type<string>(),
    async handleInfo() {
      await promise;
      return stop("enough");
    },
    handleJoin: (client) => void users.push(client.user),
  });
  const rig = new HostRig({ room });
  await rig.settle();
  rig.host.info("room", "stop");
  rig.join("first", "room", { dialect: "v1", user: { id: "ann", role: "admin" } });
  await rig.settle();
  rig.post({ type: "reauth", address: "room", mid: "first", user: { id: "ann", role: "guest" } });
  resolve();
  await rig.settle();
  expect(users).toEqual([{ id: "ann", role: "guest" }]);
});
