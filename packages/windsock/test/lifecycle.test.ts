import fc from "fast-check";
import { expect, test } from "vitest";
import { defineService, reply, stop, type } from "../src/index.ts";
import type { ActorToEdge, Out } from "../src/protocol/port.ts";
import { ServiceHost } from "../src/service/service-host.ts";
import { settle, VirtualClock } from "../src/testing/index.ts";

// Clients come, speak and go in any order, while callbacks crash, hang and stop: whatever
// happens, the edge and the actor agree on who is there, and nobody is told a thing twice.

const callbackTimeoutMs = 50;

/** Does what a message says. */
const acts: Record<string, () => unknown> = {
  ok: () => undefined,
  wait: () => Promise.resolve(),
  throw: () => {
    throw new Error("boom");
  },
  reject: () => Promise.reject(new Error("boom")),
  hang: () => new Promise<never>(() => {}),
  stop: () => stop("enough"),
  "stop with an error": () => stop(new Error("boom")),
};
const actNames = Object.keys(acts);

/** One server side without sockets: what the edge would post goes in, what it would get is kept. */
function rig(onCrash: "restart" | "keep", maxRestarts: number) {
  const clock = new VirtualClock();
  /** What each client's callbacks were told: n(ew), r(estart), c(lose). */
  const told = new Map<string, string>();
  const tell = (id: string, what: string) => told.set(id, (told.get(id) ?? "") + what);
  const probe = defineService({
    onCrash,
    limits: { callbackTimeoutMs, maxRestarts, maxMailboxMessages: 50 },
    info: type<string>(),
    calls: { ask: { response: type<string>() } },
    handleJoin(client) {
      tell(client.id, client.joinReason === "new" ? "n" : "r");
      return acts[client.request.url.searchParams.get(client.joinReason) ?? "ok"]?.() as undefined;
    },
    handleClose(client) {
      tell(client.id, "c");
      return acts[client.request.url.searchParams.get("close") ?? "ok"]?.() as undefined;
    },
    handleIncoming(client, message) {
      const [act = "", n = ""] = String(message).split(" #");
      client.send(n);
      return acts[act]?.() as undefined;
    },
    handleInfo: (what) => acts[String(what)]?.() as undefined,
    handleCall: {
      ask: (_client, act) => (acts[String(act)]?.() ?? reply("answer")) as never,
    },
  });
  const host = new ServiceHost({
    services: [{ name: "probe", service: probe }],
    addresses: {
      parse: (address) => (address === "probe" ? { name: "probe", params: {} } : undefined),
      format: (name) => name,
    },
    clock,
    report: () => {},
  });
  /** Those whom the edge holds: admitted, not closed by a commit, not gone. */
  const present = new Set<string>();
  const joined = new Map<string, number>();
  const received = new Map<string, string[]>();
  const apply = (out: Out): void => {
    if (out.type === "joined") joined.set(out.mid, (joined.get(out.mid) ?? 0) + 1);
    else if (out.type === "close") present.delete(out.mid);
    else if (out.type === "send")
      for (const mid of out.mids)
        received.set(mid, [
          ...(received.get(mid) ?? []),
          Buffer.from(out.payload.bytes).toString("utf8"),
        ]);
  };
  const toActors = host.connect("edge", {
    post(message: ActorToEdge) {
      if (message.type === "admitted") present.add(message.mid);
      else if (message.type === "commit") for (const out of message.out) apply(out);
    },
  });
  host.start();
  return { clock, told, host, toActors, present, joined, received };
}

const clientIds = ["a", "b", "c", "d", "e", "f"];
const calm = fc.constantFrom("ok", "wait");
const wild = fc.constantFrom(...actNames);
const mostlyCalm = fc.oneof({ weight: 3, arbitrary: calm }, { weight: 1, arbitrary: wild });

const step = fc.oneof(
  fc.record({
    type: fc.constant("join" as const),
    who: fc.constantFrom(...clientIds),
    new: mostlyCalm,
    restart: mostlyCalm,
    close: mostlyCalm,
  }),
  fc.record({ type: fc.constant("leave" as const), who: fc.constantFrom(...clientIds) }),
  fc.record({
    type: fc.constant("in" as const),
    who: fc.constantFrom(...clientIds),
    act: mostlyCalm,
  }),
  fc.record({ type: fc.constant("info" as const), act: wild }),
  fc.record({ type: fc.constant("call" as const), act: wild }),
  fc.record({ type: fc.constant("time" as const), ms: fc.nat(120) }),
  fc.record({ type: fc.constant("settle" as const) }),
);
const history = fc.array(step, { minLength: 20, maxLength: 80, size: "max" });
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Plays a history to its end, and gives what is wrong then. */
async function play(
  steps: readonly Step[],
  onCrash: "restart" | "keep",
  maxRestarts: number,
): Promise<string[]> {
  const { clock, told, host, toActors, present, joined, received } = rig(onCrash, maxRestarts);
  /** Each join is a membership of its own; a name stands for its newest. */
  const mids = new Map<string, string>();
  const sent = new Map<string, string[]>();
  const calls: Promise<unknown>[] = [];
  let n = 0;
  for (const one of steps) {
    n += 1;
    switch (one.type) {
      case "join": {
        const mid = `${one.who}${n}`;
        const query = new URLSearchParams({
          new: one.new,
          restart: one.restart,
          close: one.close,
        });
        mids.set(one.who, mid);
        toActors.post({
          type: "join",
          address: "probe",
          mid,
          sessionId: "",
          protocol: "",
          request: { url: `http://localhost/?${String(query)}`, rawHeaders: [], remoteAddress: "" },
          user: undefined,
          dialect: "plain",
        });
        break;
      }
      case "leave": {
        const mid = mids.get(one.who);
        if (mid === undefined || !present.delete(mid)) break;
        toActors.post({ type: "leave", address: "probe", mid, reason: { type: "lost" } });
        break;
      }
      case "in": {
        const mid = mids.get(one.who);
        if (mid === undefined || !present.has(mid)) break;
        sent.set(mid, [
          ...(sent.get(mid) ?? []),
          one.act === "ok" || one.act === "wait" ? `${n}` : "",
        ]);
        const bytes = Buffer.from(`${one.act} #${n}`);
        const payload = { kind: "text", bytes } as const;
        toActors.post({
          type: "in",
          address: "probe",
          mid,
          n: 0,
          wireBytes: bytes.length,
          payload,
        });
        break;
      }
      case "info":
        try {
          host.info("probe", one.act);
        } catch {
          // Down, or full: an answer as well.
        }
        break;
      case "call":
        calls.push(host.call("probe", "ask", one.act, { timeoutMs: 200 }).catch(() => {}));
        break;
      case "time":
        await clock.advance(one.ms);
        break;
      case "settle":
        await settle();
        break;
    }
  }
  // Long enough for every hang, restart and back-off; not so long that a crash loop goes on.
  await clock.advance(200_000);
  await Promise.all(calls);

  const faults: string[] = [];
  const there = host.services().length === 0 ? [] : host.clients("probe").map(({ id }) => id);
  if (there.toSorted().join() !== [...present].toSorted().join())
    faults.push(`the actor has ${there.join()}, the edge ${[...present].join()}`);
  for (const [mid, times] of joined) if (times !== 1) faults.push(`${mid} joined ${times} times`);
  for (const [mid, story] of told)
    if (!/^nr*c?$/.test(story)) faults.push(`${mid} was told ${story}`);
  for (const mid of present) {
    if (!/^nr*$/.test(told.get(mid) ?? "")) faults.push(`${mid} is there, and was told an end`);
    const expected = (sent.get(mid) ?? []).filter((message) => message !== "");
    const got = (received.get(mid) ?? []).filter((message) => expected.includes(message));
    if (got.join() !== expected.join())
      faults.push(`${mid} sent ${expected.join()}, and heard of ${got.join()}`);
  }
  host.close();
  return faults;
}

test.each(["restart", "keep"] as const)(
  "edge and actor agree in the end, with onCrash %s",
  async (onCrash) => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        expect(await play(steps, onCrash, 1000)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  },
);

test("so they do when the service goes down on the way", async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      expect(await play(steps, "restart", 2)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
