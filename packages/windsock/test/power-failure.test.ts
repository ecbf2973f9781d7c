import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { defineService } from "../src/index.ts";
import { SqliteHistory } from "../src/log/sqlite-history.ts";
import { BrittleHistory, HostRig } from "./host-rig.ts";

/** What a client that comes back after an unclean end is answered, and what the service hears of it. */
async function comeBack(bootId: string) {
  const folder = mkdtempSync(join(tmpdir(), "windsock-power-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const heard: string[] = [];
  const orders = defineService({
    history: { durable: true },
    state: { durable: true },
    init: () => 0,
    handleJoin(client, count) {
      heard.push(`join ${client.joinReason}`);
      return count;
    },
    handleClose(_client, reason) {
      heard.push(`close ${reason.type}`);
    },
    handleBroadcast(text: string, count, service) {
      service.publish(text);
      return count + 1;
    },
    snapshot: (count) => count,
  });
  const start = (file: string, boot: string) => {
    const history = new SqliteHistory(join(folder, file), { bootId: boot });
    const rig = new HostRig({ orders }, new BrittleHistory(), { history });
    onTestFinished(() => rig.host.close());
    return rig;
  };
  const before = start("before.sqlite", "monday");
  before.join("a", "orders", { dialect: "v1" });
  await before.settle();
  before.host.broadcast("orders", "one");
  await before.settle();
  const [joined] = before.outFor("a");
  const epoch = before.messages.find((one) => one.type === "commit")?.epoch ?? "";
  const token = joined?.type === "joined" ? (joined.membership?.token ?? "") : "";
  for (const end of ["", "-wal"])
    copyFileSync(join(folder, `before.sqlite${end}`), join(folder, `after.sqlite${end}`));
  heard.length = 0;
  const after = start("after.sqlite", bootId);
  const resume = { token, epoch, seq: 1, count: 0, tails: {} };
  after.join("a-again", "orders", { dialect: "v1", resume });
  await after.settle();
  const [again] = after.outFor("a-again");
  return { answer: again?.type === "joined" ? again.membership?.answer : undefined, heard };
}

test("a client resumes when the process died and the machine did not", async () => {
  expect(await comeBack("monday")).toEqual({ answer: "resumed", heard: [] });
});

test("after a power failure it is told to begin anew, and what it was is over", async () => {
  const { answer, heard } = await comeBack("tuesday");
  expect(answer).toBe("rejoin");
  expect(heard).toEqual(["close lost", "join rejoin"]);
});
