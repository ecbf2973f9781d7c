import fc from "fast-check";
import { expect, test } from "vitest";
import { defineService, reply, type } from "../../src/index.ts";
import { encodeClientEnvelope, type ClientEnvelope } from "../../src/protocol/v1/index.ts";
import { settle } from "../../src/testing/index.ts";
import { MemoryWorld, type RawSession } from "../faults/memory-world.ts";

// What a client says need not make sense: in any order, on any channel, with any numbers.

/** All that a service can be made to do. */
const status = defineService({
  history: { messages: 3 },
  presence: { entry: ({ id }) => ({ id }), lingerMs: 0 },
  calls: { ask: { response: type<string>() } },
  init: (service) =>
    service.log("file", { head: () => 2, read: (from) => ({ messages: ["x"], next: from + 1 }) }),
  snapshot: () => "all",
  handleCall: { ask: () => reply("answer") },
  handleIncoming(client, message, _state, service) {
    if (message === "crash") throw new Error("as asked");
    if (message === "topic") client.subscribe("topic", { from: 1 });
    else if (message === "file") client.subscribe("file", { from: 0 });
    else if (message === "leave") client.unsubscribe("topic");
    else if (message === "close") client.close(1000, "as asked");
    else service.publish(message === null ? "" : "topic", "said");
    client.send("heard");
  },
});

const small = fc.nat(4);
const channel = fc.integer({ min: 1, max: 4 });
const payload = fc.constantFrom(null, "crash", "topic", "file", "leave", "close", "say");
const plain = { noNullPrototype: true } as const;

/** `token` is the index of a token that was given before. */
const resume = fc.record(
  {
    token: small,
    seq: small,
    count: small,
    tails: fc.dictionary(payload.map(String), small, plain),
  },
  plain,
);
const kindOf = <Type extends ClientEnvelope["type"]>(kind: Type) => ({ type: fc.constant(kind) });
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record(
      {
        ...kindOf("join"),
        channel,
        path: fc.constantFrom("status", "status?a=1", "nobody", "%", ""),
        resume: fc.option(resume, { nil: undefined }),
      },
      plain,
    ),
  },
  { weight: 4, arbitrary: fc.record({ ...kindOf("send"), channel, n: small, payload }, plain) },
  fc.record(
    {
      ...kindOf("call"),
      channel,
      n: small,
      name: fc.constantFrom("ask", "toString"),
      timeoutMs: small,
      payload: fc.constant(null),
    },
    plain,
  ),
  fc.record({ ...kindOf("cancel"), channel, n: small }, plain),
  fc.record({ ...kindOf("ack"), channel, count: small }, plain),
  fc.record({ ...kindOf("auth"), channel, payload }, plain),
  fc.record({ ...kindOf("leave"), channel }, plain),
  fc.record({ ...kindOf("ping"), payload }, plain),
  { weight: 2, arbitrary: fc.constantFrom("cut" as const, "settle" as const, "stall" as const) },
);
const steps = fc.array(fc.tuple(fc.nat(1), step), { maxLength: 30, size: "max" });

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function messageOf(one: Exclude<Step, string>, tokens: readonly string[], epoch: string) {
  if (one.type !== "join") return encodeClientEnvelope(one);
  const { resume: given, ...join } = one;
  const token = tokens[given?.token ?? 0] ?? "none.at all";
  return encodeClientEnvelope({
    ...join,
    options: given === undefined ? {} : { resume: { ...given, token, epoch } },
  });
}

test("whatever a client says, nobody else notices, and nothing of it is left", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (some) => {
      const world = new MemoryWorld({ status }, () => 0.5);
      try {
        const quiet = world.openSession();
        await quiet.send({ type: "join", channel: 1, path: "status", options: {} });
        let sessions: RawSession[] = [world.openSession(), world.openSession()];
        const tokens: string[] = [];
        let epoch = "";
        for (const [index, one] of some) {
          const session = sessions[index];
          if (session === undefined) continue;
          if (one === "settle") await settle();
          else if (one === "stall") session.transport.isReading = !session.transport.isReading;
          else if (one === "cut") {
            session.transport.leave();
            sessions = sessions.with(index, world.openSession());
          } else if (!session.transport.isDestroyed) {
            session.transport.send(messageOf(one, tokens, epoch));
            for (const said of session.received()) {
              if (said.type !== "joined" || tokens.includes(said.info.token)) continue;
              tokens.push(said.info.token);
              epoch = said.info.epoch;
            }
          }
        }
        for (const { transport } of sessions) transport.leave();
        await settle();
        // Every grace is over then, and who was closed has been cut.
        for (let seconds = 0; seconds < 70; seconds += 10) {
          await world.clock.advance(10_000);
          quiet.transport.pong();
        }
        world.host.broadcast("status", "in the end");
        await settle();
        expect(quiet.transport.closed).toBeUndefined();
        const last = quiet.received().findLast(({ type: kind }) => kind === "pub");
        expect(last).toMatchObject({ payload: "in the end" });
        expect(world.edge.counts()).toEqual({ members: 1, feeds: 1, appLogs: 0, questions: 0 });
        expect(world.host.clients("status")).toHaveLength(1);
        expect(world.reports.filter(({ type: kind }) => kind === "failure")).toEqual([]);
      } finally {
        await world.end();
      }
    }),
    { numRuns: 200 },
  );
});
