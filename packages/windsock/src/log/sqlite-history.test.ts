import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
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
