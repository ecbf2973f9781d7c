import { expect, test } from "vitest";
import type { ServerEnvelope } from "../../src/protocol/v1/index.ts";
import { info, rig, type Connected, type Rig } from "../client/rig.ts";

const joined = (more = {}, channel = 1): ServerEnvelope => ({
  type: "joined",
  channel,
  info: { ...info, ...more },
});
const pub = (log: number, seq: number): ServerEnvelope => ({ type: "pub", log, seq, payload: seq });
const log = (number: number, topic: string, seq: number): ServerEnvelope => ({
  type: "log",
  channel: 1,
  log: number,
  topic,
  seq,
});

async function opened(): Promise<Rig & Connected> {
  const world = rig();
  const connected = world.connect();
  await world.clock.advance(0);
  world.sent();
  await world.say(joined());
  return { ...world, ...connected };
}

/** What it says at the next join of where it is. */
async function resumption({ clock, network, sent }: Rig): Promise<unknown> {
  network.server.cut();
  await clock.advance(10_000);
  const [join] = sent();
  return join?.type === "join" ? join.options.resume : undefined;
}

test.each([
  ["where its `log` began it", [log(5, "news", 9)], { seq: 17, tails: { news: 9 } }],
  ["at its last entry", [log(5, "news", 9), pub(5, 12)], { seq: 17, tails: { news: 12 } }],
  [
    "at the channel's position, once something above that has come",
    [log(5, "news", 9), pub(5, 12), pub(4, 18)],
    { seq: 18, tails: { news: 18 } },
  ],
  [
    "at the channel's position, where a topic of its own began later",
    [log(5, "news", 9), pub(5, 12), log(6, "more", 17), pub(6, 19)],
    { seq: 19, tails: { news: 19, more: 19 } },
  ],
  [
    "nowhere, when its `unlog` came",
    [log(5, "news", 9), { type: "unlog", channel: 1, log: 5 }],
    { seq: 17 },
  ],
] as const)("a resume says of a topic that the client is %s", async (_where, said, position) => {
  const world = await opened();
  await world.say(...said);
  const { token, epoch } = info;
  expect(await resumption(world)).toEqual({ token, epoch, count: 0, ...position });
});

test.each([
  [9_999, 500],
  [10_000, 0],
])(
  "a rejoin after %d ms waits %d ms: the first since ten seconds waits for nothing",
  async (ms, waitMs) => {
    const { say, clock, sent } = await opened();
    const closed = (channel: number): ServerEnvelope => ({
      type: "closed",
      channel,
      closeCode: 1013,
      reason: "",
      how: "rejoin",
    });
    await say(closed(1));
    expect(sent()).toMatchObject([{ type: "join", channel: 2 }]);
    await say(joined({}, 2));
    await clock.advance(ms);
    sent();
    await say(closed(2));
    await clock.advance(Math.max(0, waitMs - 1));
    expect(sent()).toHaveLength(waitMs === 0 ? 1 : 0);
    await clock.advance(1);
    expect(sent()).toHaveLength(waitMs === 0 ? 0 : 1);
  },
);

test.each(["overloaded", "down", "draining"])(
  "a join that is refused as `%s` is tried again, with what it is to resume, after what was said and the jitter",
  async (code) => {
    const world = await opened();
    const { network, clock, sent, say } = world;
    network.server.cut();
    await clock.advance(10_000);
    expect(sent()).toMatchObject([{ type: "join", options: { resume: { token: "t1" } } }]);
    const refused = {
      type: "error",
      channel: 1,
      n: 0,
      code,
      message: "",
      detail: { retryAfterMs: 700 },
    };
    await say(refused as ServerEnvelope);
    // Half of 500 ms * 2^3: as after three failures.
    await clock.advance(700 + 2000 - 1);
    expect(sent()).toEqual([]);
    await clock.advance(1);
    expect(sent()).toMatchObject([
      { type: "join", channel: 2, options: { resume: { token: "t1" } } },
    ]);
  },
);

test.each([
  ["its own is nothing to tell", 1, true],
  ["another is a protocol error: it ends the socket, and comes back with what it has", 2, false],
])("of an `at`, a count that is %s", async (_what, count, isRight) => {
  const world = await opened();
  const { network, clock, say, sent, log: events } = world;
  const { server } = network;
  await say({ type: "msg", channel: 1, payload: "private" });
  await say({ type: "at", channel: 1, seq: 20, count });
  expect(server.isOpen).toBe(isRight);
  if (server.isOpen) server.cut();
  await clock.advance(10_000);
  const { token, epoch } = info;
  const resume = { token, epoch, seq: isRight ? 20 : 17, count: 1 };
  expect(sent()).toMatchObject([{ type: "join", options: { resume } }]);
  const errors = events.flatMap((one) => (one.type === "error" ? one.error.code : []));
  expect(errors).toEqual(isRight ? [] : ["WINDSOCK_PROTOCOL"]);
});

test("a join after a cut has the newest token, and answers all that are open", async () => {
  const world = await opened();
  const { channel, network, clock, say, sent } = world;
  const first = channel.reauthorize("first");
  const second = channel.reauthorize("second");
  await clock.advance(0);
  expect(sent()).toMatchObject([
    { type: "auth", payload: "first" },
    { type: "auth", payload: "second" },
  ]);
  network.server.cut();
  await clock.advance(10_000);
  expect(sent()).toMatchObject([{ type: "join", options: { auth: "second" } }]);
  await say(joined({ answer: "resumed" }));
  await expect(Promise.all([first, second])).resolves.toEqual([undefined, undefined]);
  network.server.cut();
  await clock.advance(10_000);
  expect(sent()).toMatchObject([{ type: "join", options: { auth: "second" } }]);
});

test("a call that was given up is sent again after a cut, since its number must not be missing, and its cancel behind it", async () => {
  const world = await opened();
  const { channel, network, clock, say, sent } = world;
  const gaveUp = new AbortController();
  const call = channel.call("ask", null, { signal: gaveUp.signal });
  await clock.advance(0);
  expect(sent()).toMatchObject([{ type: "call", n: 1 }]);
  network.server.cut();
  gaveUp.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  await clock.advance(10_000);
  sent();
  await say(joined({ answer: "resumed" }));
  expect(sent()).toMatchObject([
    { type: "call", n: 1 },
    { type: "cancel", n: 1 },
  ]);
});
