import { expect, test } from "vitest";
import { defineService, reply, type, type Service } from "../../src/index.ts";
import type { EdgeToActor, Membership, Out } from "../../src/protocol/port.ts";
import { BrittleHistory, HostRig } from "../host-rig.ts";

const address = "status";

/** A process that is killed and started again: only what was stored is left. */
class Lives {
  readonly #history = new BrittleHistory();
  readonly #services: Record<string, Service>;
  rig: HostRig;

  constructor(service: Service) {
    this.#services = { status: service };
    this.rig = new HostRig(this.#services, this.#history);
  }

  kill(): void {
    this.rig.host.close();
    this.rig = new HostRig(this.#services, this.#history);
  }

  get epoch(): string {
    return this.#history.load(address)?.epoch ?? "";
  }
}

function membershipOf(rig: HostRig, mid: string): Membership {
  const joined = rig.outFor(mid).find(({ type }) => type === "joined");
  if (joined?.type !== "joined" || joined.membership === undefined)
    throw new Error(`${mid} has not joined`);
  return joined.membership;
}

async function join(rig: HostRig, mid: string, user?: unknown): Promise<Membership> {
  rig.join(mid, address, { dialect: "v1", user });
  await rig.settle();
  return membershipOf(rig, mid);
}

async function resume(
  { rig, epoch }: Lives,
  mid: string,
  token: string,
  user?: unknown,
): Promise<Membership> {
  const data = { token, epoch, seq: 0, count: 0, tails: {} };
  rig.join(mid, address, { dialect: "v1", user, resume: data });
  await rig.settle();
  return membershipOf(rig, mid);
}

function said(mid: string, n: number, text: string): EdgeToActor {
  const payload = { kind: "json", bytes: Buffer.from(JSON.stringify(text)) } as const;
  return { type: "in", address, mid, n, wireBytes: 50, payload };
}

test("after a boot memberships begin in grace: who does not come back in it is closed, once", async () => {
  const events: string[] = [];
  const lives = new Lives(
    defineService({
      history: { durable: true },
      limits: { graceMs: 5000 },
      handleJoin: (client) => void events.push(`join ${client.id} ${client.joinReason}`),
      handleClose: (client, reason) => void events.push(`close ${client.id} ${reason.type}`),
    }),
  );
  const { token } = await join(lives.rig, "back");
  await join(lives.rig, "away");
  // Its grace had begun before.
  lives.rig.post({ type: "down", address, mid: "away" });
  await lives.rig.clock.advance(4000);
  lives.kill();
  await lives.rig.settle();
  await resume(lives, "back-again", token);
  await lives.rig.clock.advance(4999);
  expect(events.filter((event) => event.startsWith("close"))).toEqual([]);
  await lives.rig.clock.advance(1);
  expect(events).toEqual([
    "join back new",
    "join away new",
    "join back restart",
    "join away restart",
    "close away lost",
  ]);
  await lives.rig.clock.advance(60_000);
  lives.kill();
  await lives.rig.clock.advance(60_000);
  expect(events.filter((event) => event === "close away lost")).toHaveLength(1);
});

test("a client whose answer is lost with the process comes back with the token that it has", async () => {
  const lives = new Lives(defineService({ history: { durable: true } }));
  const { token, id } = await join(lives.rig, "first");
  const { token: lost } = await resume(lives, "second", token);
  lives.kill();
  const third = await resume(lives, "third", token);
  expect(third).toMatchObject({ answer: "resumed", id });
  // Nobody has shown the one that was lost.
  lives.kill();
  expect((await resume(lives, "fourth", lost)).answer).toBe("rejoin");
});

test("the token that a client has replaced is no good after a kill either", async () => {
  const lives = new Lives(defineService({ history: { durable: true } }));
  const { token } = await join(lives.rig, "first");
  const { token: newest, id } = await resume(lives, "second", token);
  lives.rig.post(said("second", 1, "it has it"));
  await lives.rig.settle();
  lives.kill();
  expect((await resume(lives, "thief", token)).answer).toBe("rejoin");
  expect(await resume(lives, "third", newest)).toMatchObject({ answer: "resumed", id });
});

test("a kill keeps what a client follows, what it has left, and who it is by its newest token", async () => {
  const users: unknown[] = [];
  const lives = new Lives(
    defineService({
      // Its joins are not replayed: nothing renews what it follows.
      history: { durable: true },
      state: { durable: true },
      init: () => 0,
      handleJoin(client) {
        client.subscribe("news", { from: 0 });
        client.unsubscribe("");
      },
      handleBroadcast: (message: string, _state, service) => service.publish("news", message),
      handleResume: (client) => void users.push(client.user),
    }),
  );
  const { token } = await join(lives.rig, "first", { name: "Ann" });
  lives.rig.post({ type: "reauth", address, mid: "first", user: { name: "Bea" } });
  lives.rig.host.broadcast("status", "hello");
  await lives.rig.settle();
  lives.kill();
  expect((await resume(lives, "thief", token, { name: "Ann" })).answer).toBe("rejoin");
  lives.kill();
  const membership = await resume(lives, "second", token, { name: "Bea" });
  expect(membership).toMatchObject({ answer: "resumed", leavesOwnLog: true });
  expect(membership.topics).toMatchObject([{ topic: "news", start: 0, isAppLog: false }]);
  expect(users).toEqual([{ name: "Bea" }]);
});

test("a membership is gone from the history with its client, and private messages with their acknowledgement", async () => {
  const history = new BrittleHistory();
  const service = defineService({
    history: { durable: true },
    handleIncoming: (client, message) => client.send(message as string),
  });
  const rig = new HostRig({ status: service }, history);
  await join(rig, "one");
  await join(rig, "two");
  for (const [n, text] of [
    [1, "a"],
    [2, "b"],
    [3, "c"],
  ] as const)
    rig.post(said("one", n, text));
  await rig.settle();
  const kept = () => history.load(address)?.privates.map(({ member, count }) => [member, count]);
  expect(kept()).toEqual([
    ["one", 1],
    ["one", 2],
    ["one", 3],
  ]);
  rig.post({ type: "acked", address, mid: "one", count: 2 });
  await rig.settle();
  expect(kept()).toEqual([["one", 3]]);
  // What a client says at a resume that it has, it acknowledges.
  rig.post(said("one", 4, "d"));
  await rig.settle();
  const epoch = history.load(address)?.epoch ?? "";
  const resume = { token: membershipOf(rig, "one").token, epoch, seq: 0, count: 3, tails: {} };
  rig.join("one-again", address, { dialect: "v1", resume });
  await rig.settle();
  expect(membershipOf(rig, "one-again").answer).toBe("resumed");
  expect(kept()).toEqual([["one", 4]]);
  rig.post({ type: "leave", address, mid: "one-again", reason: { type: "lost" } });
  await rig.settle();
  expect(kept()).toEqual([]);
  expect(history.load(address)?.members.map(({ id }) => id)).toEqual(["two"]);
});

// What leaves tells of the commit: nobody may know of what a kill would take back.
test("frames, receipts and answers of a commit leave when it is stored, all of them", async () => {
  const history = new BrittleHistory();
  const service = defineService({
    history: { durable: true },
    handleIncoming(client, message, _state, self) {
      self.publish(message as string);
      client.send("private");
    },
  });
  const rig = new HostRig({ status: service }, history);
  await join(rig, "m");
  const before = rig.messages.length;
  const stored: number[] = [];
  const write = history.write.bind(history);
  history.write = (commits) => {
    // Nothing of what is being stored has left.
    stored.push(rig.messages.length - before);
    write(commits);
  };
  rig.post(said("m", 1, "said"));
  rig.post({
    type: "publish",
    id: 1,
    address,
    value: { kind: "text", bytes: Buffer.from("posted") },
  });
  await rig.settle();
  expect(stored).toEqual([0]);
  const left = rig.messages.slice(before).flatMap((one): readonly (Out["type"] | "published")[] => {
    if (one.type === "published") return [one.type];
    return one.type === "commit" ? one.out.map(({ type }) => type) : [];
  });
  expect(left.toSorted()).toEqual(["done", "publish", "publish", "published", "send"]);
});

test("who is present outlives a kill, as long as the membership does", async () => {
  const lives = new Lives(
    defineService({
      history: { durable: true },
      limits: { graceMs: 5000 },
      presence: { entry: ({ user }) => ({ id: String(user) }), lingerMs: 0 },
      calls: { who: { response: type<readonly { id: string }[]>() } },
      handleCall: { who: (_client, _request, _state, service) => reply(service.presence()) },
    }),
  );
  await join(lives.rig, "first", "ann");
  const { token } = await join(lives.rig, "second", "bob");
  lives.kill();
  const who = () => lives.rig.host.call("status", "who", undefined);
  expect(await who()).toEqual([{ id: "ann" }, { id: "bob" }]);
  await resume(lives, "again", token, "bob");
  await lives.rig.clock.advance(5000);
  expect(await who()).toEqual([{ id: "bob" }]);
});

test("the history keeps what the log keeps, and remembers what went: after a kill a gap is told as before", async () => {
  const history = new BrittleHistory();
  const service = defineService({
    history: { durable: true, messages: 3 },
    state: { durable: true },
    init: () => 0,
    handleJoin: (client) => client.subscribe("news"),
    handleBroadcast: (message: string, _state, self) =>
      self.publish(message === "other" ? "other" : "news", message),
  });
  let rig = new HostRig({ status: service }, history);
  const told = new Map<string, Membership>();
  for (const mid of ["before", "at"]) told.set(mid, await join(rig, mid));
  const say = async (...messages: string[]) => {
    for (const message of messages) rig.host.broadcast("status", message);
    await rig.settle();
  };
  await say("1", "2", "other", "4", "5");
  expect(history.load(address)?.entries.map(({ seq }) => seq)).toEqual([3, 4, 5]);
  rig.host.close();
  rig = new HostRig({ status: service }, history);
  const epoch = history.load(address)?.epoch ?? "";
  for (const [mid, seq, answer] of [
    ["before", 1, "rejoin"],
    ["at", 2, "resumed"],
  ] as const) {
    const data = { token: told.get(mid)?.token ?? "", epoch, seq, count: 0, tails: {} };
    rig.join(`${mid}-again`, address, { dialect: "v1", resume: data });
    await rig.settle();
    expect(membershipOf(rig, `${mid}-again`).answer).toBe(answer);
  }
  await say("6", "7", "8");
  expect(history.load(address)?.entries.map(({ seq }) => seq)).toEqual([6, 7, 8]);
});
