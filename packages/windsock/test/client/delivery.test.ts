import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ChannelEvent, ClientError } from "../../src/client/index.ts";
import type { AnyTyped } from "../any-typed.ts";
import { rig } from "./rig.ts";
import { WireServer, type Membership } from "./wire-server.ts";

type Step =
  | { readonly type: "publish" | "tell" | "repeat" | "positions" | "forget" }
  | { readonly type: "send"; readonly kind: "p" | "m" | "c"; readonly retry: boolean }
  | { readonly type: "call" }
  | { readonly type: "cut"; readonly keptUp: number; readonly keptDown: number }
  | { readonly type: "freeze" }
  | { readonly type: "close"; readonly code: number }
  | { readonly type: "drain"; readonly windowMs: number }
  | { readonly type: "evict"; readonly kept: number }
  | { readonly type: "wait"; readonly ms: number };

const often = <T>(
  arbitrary: fc.Arbitrary<T>,
  weight: number,
): { weight: number; arbitrary: fc.Arbitrary<T> } => ({
  weight,
  arbitrary,
});

const step: fc.Arbitrary<Step> = fc.oneof(
  often(fc.constant({ type: "publish" as const }), 6),
  often(fc.constant({ type: "tell" as const }), 3),
  often(
    fc.record({
      type: fc.constant("send" as const),
      kind: fc.constantFrom("p" as const, "m" as const, "c" as const),
      retry: fc.boolean(),
    }),
    9,
  ),
  often(fc.constant({ type: "call" as const }), 2),
  often(fc.constant({ type: "repeat" as const }), 1),
  often(fc.constant({ type: "positions" as const }), 1),
  often(
    fc.record({ type: fc.constant("cut" as const), keptUp: fc.nat(6), keptDown: fc.nat(6) }),
    4,
  ),
  often(fc.constant({ type: "freeze" as const }), 1),
  often(
    fc.record({
      type: fc.constant("close" as const),
      code: fc.constantFrom(1001, 1011, 1012, 1013),
    }),
    1,
  ),
  often(fc.record({ type: fc.constant("drain" as const), windowMs: fc.nat(3000) }), 2),
  often(fc.constant({ type: "forget" as const }), 2),
  often(
    fc.record({ type: fc.constant("evict" as const), kept: fc.integer({ min: 1, max: 5 }) }),
    1,
  ),
  often(fc.record({ type: fc.constant("wait" as const), ms: fc.nat(1500) }), 8),
);

interface Sent {
  readonly value: string;
  readonly retry: boolean;
  outcome: "pending" | "done" | ClientError["code"];
}

interface Run {
  readonly server: WireServer;
  readonly log: ChannelEvent<AnyTyped>[];
  readonly sent: Sent[];
}

/** A generator of numbers in [0, 1) that a seed repeats. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

/** Two clients and a server through all steps, then through a quiet time in which everything settles. */
async function run(seed: number, hasSnapshots: boolean, steps: readonly Step[]): Promise<Run> {
  const random = generator(seed);
  const { clock, network, connect } = rig(random);
  network.latencyMs = () => Math.floor(random() * 80);
  const server = new WireServer();
  server.hasSnapshots = hasSnapshots;
  network.onaccept = server.accept;
  const { channel, log } = connect("status");
  const sent: Sent[] = [];
  let values = 0;
  const outcomeOf = (one: Sent, promise: Promise<unknown>): void => {
    sent.push(one);
    promise.then(
      () => (one.outcome = "done"),
      (error: unknown) => (one.outcome = (error as ClientError).code),
    );
  };
  await clock.advance(200);
  for (const one of steps) {
    values += 1;
    switch (one.type) {
      case "publish":
        server.publish(`entry ${values}`);
        break;
      case "tell":
        server.tellAll(`to you ${values}`);
        break;
      case "repeat":
        server.repeat();
        break;
      case "positions":
        server.tellPositions();
        break;
      case "forget":
        server.forget();
        break;
      case "send": {
        const { kind, retry } = one;
        const value = `${kind}${values}`;
        outcomeOf({ value, retry, outcome: "pending" }, channel.send(value, { retry }));
        break;
      }
      case "call":
        outcomeOf(
          { value: `call ${values}`, retry: false, outcome: "pending" },
          channel.call("ask", `call ${values}`, { timeoutMs: 600_000 }),
        );
        break;
      case "cut":
        for (const end of server.ends) end.cut(one.keptUp, one.keptDown);
        break;
      case "freeze":
        for (const end of server.ends) end.freeze();
        break;
      case "close":
        for (const end of server.ends) end.close(one.code);
        break;
      case "drain":
        server.drain(one.windowMs);
        break;
      case "evict":
        server.kept = one.kept;
        break;
      case "wait":
        await clock.advance(one.ms);
    }
  }
  // Long enough for a frozen connection to be noticed and for the longest back-off.
  await clock.advance(180_000);
  channel.close();
  await clock.advance(1000);
  return { server, log, sent };
}

/** The log of one membership: from its join to the next. */
function segments(log: readonly ChannelEvent<AnyTyped>[]): ChannelEvent<AnyTyped>[][] {
  const parts: ChannelEvent<AnyTyped>[][] = [[]];
  for (const event of log) {
    if (event.type === "rejoined") parts.push([]);
    else parts.at(-1)!.push(event);
  }
  return parts;
}

/** What is wrong with what one membership received. */
function problemsOf(
  events: readonly ChannelEvent<AnyTyped>[],
  membership: Membership,
  isLast: boolean,
): string[] {
  const problems: string[] = [];
  const messages = events.filter((event) => event.type === "message");
  const privates = messages.filter(({ source }) => source.type === "private");
  const expected = membership.items.flatMap((item) =>
    item.type === "private" && item.envelope.type === "msg" ? [item.envelope.payload] : [],
  );
  const got = privates.map(({ message }) => message);
  const wanted = isLast ? expected : expected.slice(0, got.length);
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    problems.push(`private: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);

  let position = membership.joinedSeq;
  for (const { message, source } of messages) {
    if (source.type === "snapshot") {
      if (source.seq < position) problems.push(`a snapshot of ${source.seq} behind ${position}`);
      if (message !== `state at ${source.seq}`) problems.push("another state");
      position = source.seq;
    } else if (source.type === "published") {
      if (source.seq !== position + 1) problems.push(`entry ${source.seq} after ${position}`);
      const item = membership.items.find((one) => one.type === "pub" && one.seq === source.seq);
      if (item?.type !== "pub" || item.value !== message)
        problems.push(`another entry ${source.seq}`);
      position = source.seq;
    }
  }
  const last = membership.items.findLast((item) => item.type === "pub");
  if (isLast && last?.type === "pub" && position !== last.seq)
    problems.push(`ended at ${position} of ${last.seq}`);

  // Without a snapshot the order is that of the commits, across both kinds.
  if (!events.some(({ type }) => type === "snapshot")) {
    const order = membership.items.flatMap((item) =>
      item.type === "pub"
        ? [item.value]
        : item.envelope.type === "msg"
          ? [item.envelope.payload]
          : [],
    );
    const seen = messages.map(({ message }) => message);
    if (JSON.stringify(seen) !== JSON.stringify(order.slice(0, seen.length)))
      problems.push(`order: expected ${JSON.stringify(order)}, got ${JSON.stringify(seen)}`);
  }
  return problems;
}

function problems({ server, log, sent }: Run): string[] {
  const found = server.faults.map((fault) => `the server saw ${fault}`);
  const parts = segments(log);
  const joined = server.memberships;
  // A membership whose `joined` was lost is one that the client never had.
  let index = 0;
  for (const [at, part] of parts.entries()) {
    const id = part.flatMap((event) =>
      event.type === "message" && String(event.message).startsWith("hello ")
        ? [String(event.message).slice(6)]
        : [],
    )[0];
    const isLast = at === parts.length - 1;
    if (id === undefined) {
      if (isLast) found.push("the last membership was never greeted");
      continue;
    }
    const membership = joined.find((one) => one.id === id)!;
    if (joined.indexOf(membership) < index) found.push(`${id} came again`);
    index = joined.indexOf(membership);
    for (const problem of problemsOf(part, membership, isLast)) found.push(`${id}: ${problem}`);
  }
  for (const { value, retry, outcome } of sent) {
    const times = joined
      .flatMap(({ handled }) => handled)
      .filter((one) => one.value === value).length;
    const isCrash = value.startsWith("c") && !value.startsWith("call");
    if (outcome === "pending") found.push(`${value} was never settled`);
    if (times > 1 && !retry) found.push(`${value} was handled ${times} times`);
    if (outcome === "done" && times === 0) found.push(`${value} is done and was not handled`);
    if (isCrash && outcome === "done") found.push(`${value} crashed and is done`);
    if (retry && outcome === "WINDSOCK_UNKNOWN")
      found.push(`${value} is unknown and was to be sent again`);
    if (!["done", "WINDSOCK_UNKNOWN", "WINDSOCK_CRASHED"].includes(outcome))
      found.push(`${value}: ${outcome}`);
    if (outcome === "WINDSOCK_CRASHED" && !isCrash) found.push(`${value} did not crash`);
  }
  // The order of what one client sent is the order in which one membership handled it.
  for (const { id, handled } of joined) {
    const order = handled.map(({ value }) => sent.findIndex((one) => one.value === value));
    if (order.some((at, n) => n > 0 && at < order[n - 1]!))
      found.push(`${id}: handled out of order`);
  }
  return found;
}

describe("random cuts, drains, repeats, delays and losses", () => {
  test("every client ends with the server's order, once; every send is handled once or reported", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.boolean(),
        fc.array(step, { maxLength: 60, size: "max" }),
        async (seed, hasSnapshots, steps) => {
          expect(problems(await run(seed, hasSnapshots, steps))).toEqual([]);
        },
      ),
      { numRuns: Number(process.env["WINDSOCK_RUNS"] ?? 150) },
    );
  }, 90_000);

  test("a cut at each boundary of a conversation loses nothing", async () => {
    const conversation: Step[] = [
      { type: "publish" },
      { type: "send", kind: "m", retry: false },
      { type: "tell" },
      { type: "wait", ms: 30 },
      { type: "call" },
      { type: "publish" },
      { type: "wait", ms: 100 },
      { type: "send", kind: "p", retry: false },
      { type: "send", kind: "c", retry: false },
      { type: "wait", ms: 40 },
      { type: "publish" },
    ];
    for (let at = 0; at <= conversation.length; at++) {
      for (const kept of [0, 1, 2, 3, 4]) {
        const cut: Step = { type: "cut", keptUp: kept, keptDown: 4 - kept };
        const result = await run(at * 7 + kept, true, conversation.toSpliced(at, 0, cut));
        expect(problems(result)).toEqual([]);
        // The membership was in grace: nothing is unknown.
        expect(result.sent.map(({ outcome }) => outcome)).toEqual([
          "done",
          "done",
          "done",
          "WINDSOCK_CRASHED",
        ]);
        expect(result.server.memberships.length).toBeLessThanOrEqual(2);
      }
    }
  });
});
