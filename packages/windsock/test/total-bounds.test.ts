import { expect, test } from "vitest";
import { defineService, type Client } from "../src/index.ts";
import type { Membership } from "../src/protocol/port.ts";
import { BrittleHistory, HostRig } from "./host-rig.ts";

const length = 1000;
const cost = length + 16;

/** Sends `length` bytes to everybody who has joined: `each` in bytes of their own, `all` the same to all. */
function mailer(durable = false) {
  return defineService({
    history: { durable },
    init: () => [] as Client[],
    handleJoin: (client, clients) => [...clients, client],
    handleClose: (client, _reason, clients) => clients.filter((one) => one !== client),
    handleBroadcast(order: "each" | "all", clients, service) {
      if (order === "all") service.sendAll(clients, "x".repeat(length));
      else
        for (const [index, client] of clients.entries())
          client.send(`${index}`.padEnd(length, "."));
    },
  });
}

function membershipOf(rig: HostRig, mid: string): Membership | undefined {
  const joined = rig.outFor(mid).find(({ type }) => type === "joined");
  return joined?.type === "joined" ? joined.membership : undefined;
}

/** What a client that comes back with so many of its messages is answered. */
async function comeBack(rig: HostRig, address: string, mid: string, count = 0) {
  const before = membershipOf(rig, mid);
  const epoch = rig.messages.flatMap((one) =>
    one.type === "commit" && one.address === address ? one.epoch : [],
  )[0];
  if (before === undefined || epoch === undefined) throw new Error("it has not joined");
  const again = `${mid}-again`;
  const resume = { token: before.token, epoch, seq: 0, count, tails: {} };
  rig.join(again, address, { dialect: "v1", resume });
  await rig.settle();
  return membershipOf(rig, again)?.answer;
}

test("what all clients have not acknowledged may fill the budget to the byte, over all services", async () => {
  const rig = new HostRig({ one: mailer(), two: mailer() }, new BrittleHistory(), {
    maxTotalPrivateBytes: 2 * cost,
  });
  rig.join("a", "one", { dialect: "v1" });
  rig.join("b", "two", { dialect: "v1" });
  await rig.settle();
  rig.host.broadcast("one", "each");
  await rig.settle();
  rig.host.broadcast("two", "each");
  await rig.settle();
  expect(await comeBack(rig, "one", "a")).toBe("resumed");
  expect(await comeBack(rig, "two", "b")).toBe("resumed");
});

test("beyond the budget those give who have acknowledged nothing for longest; who reads is not harmed", async () => {
  const rig = new HostRig({ one: mailer(), two: mailer() }, new BrittleHistory(), {
    maxTotalPrivateBytes: 2 * cost,
  });
  rig.join("silent", "one", { dialect: "v1" });
  rig.join("reader", "two", { dialect: "v1" });
  await rig.settle();
  rig.host.broadcast("one", "each");
  await rig.settle();
  rig.host.broadcast("two", "each");
  await rig.settle();
  rig.post({ type: "acked", address: "two", mid: "reader", count: 1 });
  rig.host.broadcast("two", "each");
  await rig.settle();
  rig.host.broadcast("two", "each");
  await rig.settle();
  // Everything was sent to everybody all the same.
  expect(rig.messages.flatMap((one) => (one.type === "commit" ? one.out : []))).toSatisfy(
    (out: { type: string }[]) => out.filter(({ type }) => type === "send").length === 4,
  );
  expect(await comeBack(rig, "one", "silent")).toBe("rejoin");
  const reader = membershipOf(rig, "reader");
  expect(reader?.answer).toBe("new");
  const epoch = rig.messages.flatMap((one) =>
    one.type === "commit" && one.address === "two" ? one.epoch : [],
  )[0]!;
  const resume = { token: reader!.token, epoch, seq: 0, count: 1, tails: {} };
  rig.join("reader-again", "two", { dialect: "v1", resume });
  await rig.settle();
  const back = membershipOf(rig, "reader-again");
  expect(back).toMatchObject({ answer: "resumed", count: 3 });
  expect(back?.privates).toHaveLength(2);
});

test("who has acknowledged something, if not all, is not the one who gives before one who has not", async () => {
  const rig = new HostRig({ one: mailer(), two: mailer() }, new BrittleHistory(), {
    maxTotalPrivateBytes: 3 * cost,
  });
  rig.join("reader", "one", { dialect: "v1" });
  rig.join("silent", "two", { dialect: "v1" });
  await rig.settle();
  for (const address of ["one", "one", "two"]) {
    rig.host.broadcast(address, "each");
    await rig.settle();
  }
  // It has waited for longer, but it reads.
  rig.post({ type: "acked", address: "one", mid: "reader", count: 1 });
  for (let more = 0; more < 2; more++) {
    rig.host.broadcast("one", "each");
    await rig.settle();
  }
  expect(await comeBack(rig, "two", "silent")).toBe("rejoin");
  expect(await comeBack(rig, "one", "reader", 1)).toBe("resumed");
});

test("a message to many counts once", async () => {
  const rig = new HostRig({ one: mailer() }, new BrittleHistory(), {
    maxTotalPrivateBytes: length + 50 * 16,
  });
  const mids = Array.from({ length: 50 }, (_, index) => `m${index}`);
  for (const mid of mids) rig.join(mid, "one", { dialect: "v1" });
  await rig.settle();
  rig.host.broadcast("one", "all");
  await rig.settle();
  for (const mid of mids) expect(await comeBack(rig, "one", mid)).toBe("resumed");
});

test("who leaves gives back what was kept", async () => {
  const rig = new HostRig({ one: mailer() }, new BrittleHistory(), { maxTotalPrivateBytes: cost });
  for (let round = 0; round < 5; round++) {
    const mid = `m${round}`;
    rig.join(mid, "one", { dialect: "v1" });
    await rig.settle();
    rig.host.broadcast("one", "each");
    await rig.settle();
    if (round < 4) rig.post({ type: "leave", address: "one", mid, reason: { type: "lost" } });
    await rig.settle();
  }
  expect(await comeBack(rig, "one", "m4")).toBe("resumed");
});

// The budget took them from memory; the file would have kept them until the client was gone.
test("what the budget took is not kept in the history either, once something follows", async () => {
  const history = new BrittleHistory();
  const rig = new HostRig({ one: mailer(true) }, history, { maxTotalPrivateBytes: cost });
  rig.join("a", "one", { dialect: "v1" });
  await rig.settle();
  for (let round = 0; round < 10; round++) {
    rig.host.broadcast("one", "each");
    await rig.settle();
  }
  expect(history.load("one")?.privates.length).toBeLessThanOrEqual(1);
});

// Sockets were bounded, the memberships that they leave behind were not: who connected, joined
// and was cut, again and again, left one each time, for a minute.
test("of the members that are away so many are kept, over all services, and those away for longest end", async () => {
  const ended: string[] = [];
  const service = defineService({
    handleClose: (client, reason) => void ended.push(`${client.id} ${reason.type}`),
  });
  const rig = new HostRig({ one: service, two: service }, new BrittleHistory(), {
    maxDroppedClients: 2,
  });
  for (const [mid, address] of [
    ["a", "one"],
    ["b", "two"],
    ["c", "one"],
  ] as const)
    rig.join(mid, address, { dialect: "v1" });
  await rig.settle();
  rig.post({ type: "down", address: "one", mid: "a" });
  rig.post({ type: "down", address: "two", mid: "b" });
  await rig.settle();
  expect(ended).toEqual([]);
  // Who is back counts no more.
  expect(await comeBack(rig, "one", "a")).toBe("resumed");
  rig.post({ type: "down", address: "one", mid: "c" });
  await rig.settle();
  expect(ended).toEqual([]);
  rig.post({ type: "down", address: "one", mid: "a-again" });
  await rig.settle();
  expect(ended).toEqual(["b lost"]);
  expect(await comeBack(rig, "two", "b")).toBe("rejoin");
  expect(await comeBack(rig, "one", "c")).toBe("resumed");
});
