import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import type { EdgeToActor, Membership } from "../../src/protocol/port.ts";
import { HostRig } from "../host-rig.ts";

const address = "status";

function membershipOf(rig: HostRig, mid: string): Membership | undefined {
  const joined = rig.outFor(mid).find(({ type }) => type === "joined");
  return joined?.type === "joined" ? joined.membership : undefined;
}

async function comeBack(rig: HostRig, before: string, mid: string): Promise<void> {
  const token = membershipOf(rig, before)?.token ?? "";
  const epoch = rig.messages.flatMap((one) => (one.type === "commit" ? one.epoch : []))[0] ?? "";
  const resume = { token, epoch, seq: 0, count: 0, tails: {} };
  rig.join(mid, address, { dialect: "v1", resume });
  await rig.settle();
  expect(membershipOf(rig, mid)?.answer).toBe("resumed");
}

function said(mid: string, n: number, text: string): EdgeToActor {
  const payload = { kind: "json", bytes: Buffer.from(JSON.stringify(text)) } as const;
  return { type: "in", address, mid, n, wireBytes: 50, payload };
}

// Between edges and actors messages may take their time: what was on its way from a line that
// has been replaced since arrives when another one is the client's.
test("what comes late from a line that a resume has replaced is dropped, whatever it says", async () => {
  const events: string[] = [];
  const service = defineService({
    handleDrop: () => void events.push("drop"),
    handleResume: () => void events.push("resume"),
    handleClose: () => void events.push("close"),
    handleIncoming: (client, message) => {
      events.push(message as string);
      client.send("heard");
    },
  });
  const rig = new HostRig({ status: service });
  rig.join("first", address, { dialect: "v1" });
  await rig.settle();
  await comeBack(rig, "first", "second");
  await comeBack(rig, "second", "third");
  for (const mid of ["first", "second"]) {
    rig.post(said(mid, 1, `from the ${mid}`));
    rig.post({ type: "acked", address, mid, count: 1 });
    rig.post({ type: "behind", address, mid });
    rig.post({ type: "down", address, mid });
    rig.post({ type: "leave", address, mid, reason: { type: "lost" } });
  }
  await rig.settle();
  rig.post(said("third", 1, "from the third"));
  await rig.settle();
  expect(events).toEqual(["resume", "resume", "from the third"]);
  expect(rig.outFor("third").map(({ type }) => type)).toContain("done");
  for (const mid of ["first", "second"])
    expect(rig.outFor(mid).map(({ type }) => type)).not.toContain("done");
});

test("a message from a client whose membership has ended is dropped", async () => {
  const heard: unknown[] = [];
  const service = defineService({ handleIncoming: (_client, message) => void heard.push(message) });
  const rig = new HostRig({ status: service });
  rig.join("m", address, { dialect: "v1" });
  await rig.settle();
  rig.post({ type: "leave", address, mid: "m", reason: { type: "lost" } });
  rig.post(said("m", 1, "in the same breath"));
  await rig.settle();
  rig.post(said("m", 1, "later"));
  await rig.settle();
  expect(heard).toEqual([]);
});
