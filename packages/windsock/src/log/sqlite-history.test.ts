import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { HistoryError } from "../errors.ts";
import { historyContract } from "./history-contract.ts";
import { SqliteHistory } from "./sqlite-history.ts";

const folder = mkdtempSync(join(tmpdir(), "windsock-history-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
let file = "";
const newFile = (): string => (file = join(folder, `history-${files++}.sqlite`));

historyContract("SqliteHistory", {
  open: () => new SqliteHistory(newFile()),
  reopen(store) {
    store.close();
    return new SqliteHistory(file);
  },
});

test("a commit that fails stores nothing of its batch", () => {
  const store = new SqliteHistory(newFile());
  const entry = {
    seq: 1,
    type: "message",
    topic: "",
    kind: "text",
    bytes: new Uint8Array(1),
    atMs: 0,
  } as const;
  expect(() =>
    store.write([
      { address: "a", epoch: "e", seq: 1, entries: [entry] },
      { address: "b", epoch: "e", seq: 1, entries: [entry, entry] },
    ]),
  ).toThrow(HistoryError);
  expect(store.load("a")).toBeUndefined();
  store.write([{ address: "a", epoch: "e", seq: 1, entries: [entry] }]);
  expect(store.load("a")?.seq).toBe(1);
  store.close();
});

test("a history that another server uses is refused with a sentence", () => {
  const store = new SqliteHistory(newFile());
  expect(() => new SqliteHistory(file)).toThrow(
    /Expected to keep the history in .*another server/s,
  );
  store.close();
});

test("a history of a newer version is refused and left as it is", () => {
  new SqliteHistory(newFile()).close();
  const database = new DatabaseSync(file);
  database.exec("PRAGMA user_version = 99");
  database.close();
  expect(() => new SqliteHistory(file)).toThrow(/got version 99/);
});

// The writer prints a number only after `write` has returned: whatever was printed must be there.
const writer = `
  import { SqliteHistory } from ${JSON.stringify(new URL("./sqlite-history.ts", import.meta.url).href)};
  const store = new SqliteHistory(process.argv[1]);
  let seq = store.load("a")?.seq ?? 0;
  for (;;) {
    seq += 1;
    store.write([{ address: "a", epoch: "e", seq, entries: [{ seq, type: "message", topic: "", kind: "text", bytes: new Uint8Array(200), atMs: 0 }] }]);
    process.stdout.write(seq + "\\n");
  }`;

test("what was acknowledged is there after each of ten kill -9", async () => {
  newFile();
  for (let round = 1; round <= 10; round++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", writer, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    // It writes until it is killed, also when this test gives up on it.
    onTestFinished(() => void child.kill("SIGKILL"));
    const printed: string[] = [];
    let lines = 0;
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      printed.push(chunk.toString());
      lines += chunk.toString().split("\n").length - 1;
      if (lines >= 10 && !child.killed) child.kill("SIGKILL");
    }
    const acknowledged = Number(
      printed
        .join("")
        .split("\n")
        .findLast((line, index, all) => index < all.length - 1 && line !== ""),
    );
    const store = new SqliteHistory(file);
    const loaded = store.load("a");
    expect(loaded?.seq).toBeGreaterThanOrEqual(acknowledged);
    expect(loaded?.entries.map(({ seq }) => seq)).toEqual(
      Array.from({ length: loaded?.seq ?? 0 }, (_, index) => index + 1),
    );
    store.close();
    const database = new DatabaseSync(file);
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    database.close();
  }
});

/** The file as it is on the disk while `store` still uses it: what is there after a `kill -9` or a power failure. */
function copyInUse(): string {
  const copy = join(folder, `copy-${files++}.sqlite`);
  for (const end of ["", "-wal"]) copyFileSync(`${file}${end}`, `${copy}${end}`);
  return copy;
}

const commit = { address: "a", epoch: "first", seq: 1 };

// The last commits may be lost with the power, and their numbers are given again: who had
// them would take new entries for old ones.
test("after a power failure every log has a new name, and goes on under it", () => {
  const store = new SqliteHistory(newFile(), { bootId: "monday" });
  store.write([commit, { ...commit, address: "b" }]);
  const copy = copyInUse();
  const after = new SqliteHistory(copy, { bootId: "tuesday" });
  const epochs = ["a", "b"].map((address) => after.load(address)?.epoch ?? "");
  for (const epoch of epochs) expect(epoch).toMatch(/^[0-9a-f]{16}$/);
  expect(epochs[0]).not.toBe(epochs[1]);
  expect(after.load("a")?.seq).toBe(1);
  after.write([{ address: "a", epoch: epochs[0]!, seq: 2 }]);
  expect(after.load("a")).toMatchObject({ epoch: epochs[0], seq: 2 });
  after.close();
  // It was closed since: the next boot changes nothing.
  const later = new SqliteHistory(copy, { bootId: "wednesday" });
  expect(later.load("a")?.epoch).toBe(epochs[0]);
  later.close();
  store.close();
});

test.each([
  ["the process alone died", { bootId: "monday" }, { bootId: "monday" }],
  [
    "every commit was flushed",
    { bootId: "monday", sync: "full" },
    { bootId: "tuesday", sync: "full" },
  ],
] as const)("logs keep their names when %s", (_what, before, then) => {
  const store = new SqliteHistory(newFile(), before);
  store.write([commit]);
  const after = new SqliteHistory(copyInUse(), then);
  expect(after.load("a")?.epoch).toBe("first");
  after.close();
  store.close();
});

test("logs keep their names when the file was closed in order", () => {
  const store = new SqliteHistory(newFile(), { bootId: "monday" });
  store.write([commit]);
  store.close();
  const after = new SqliteHistory(file, { bootId: "tuesday" });
  expect(after.load("a")?.epoch).toBe("first");
  after.close();
});

test("a file from before this was known is brought up to date, its logs as they are", () => {
  const store = new SqliteHistory(newFile());
  store.write([commit]);
  store.close();
  const database = new DatabaseSync(file);
  database.exec(
    "DROP TABLE run; DROP INDEX actor_forget_at; ALTER TABLE actor DROP COLUMN forget_at_ms; PRAGMA user_version = 1;",
  );
  database.close();
  const after = new SqliteHistory(file, { bootId: "tuesday" });
  expect(after.load("a")?.epoch).toBe("first");
  after.close();
});
