import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { SqliteHistory } from "../../src/log/sqlite-history.ts";
import { ServerProcess } from "./server-process.ts";
import { TestClient } from "./test-client.ts";

/** A file system of 2 MiB of its own. Undefined: only root may make one, and only on Linux. */
function smallDisk(): { readonly folder: string; readonly grow: () => void } | undefined {
  const folder = mkdtempSync(join(tmpdir(), "windsock-disk-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  return {
    folder,
    grow: () => void execFileSync("mount", ["-o", "remount,size=64m", folder]),
  };
}

// Where no disk can be made that is full, `durable.test.ts` shows the same with a spy on `write`.
test("a full disk: nothing is acknowledged that is not stored, it is reported, and it goes on when there is room", async ({
  skip,
}) => {
  const disk = smallDisk();
  if (disk === undefined) return skip("needs root on Linux, to mount a small file system");
  const server = new ServerProcess(disk.folder);
  onTestFinished(() => server.remove());
  await server.start();
  const client = new TestClient({ random: () => 0.1 });
  onTestFinished(() => client.close());
  const { channel, seen } = client.connect("news", server.url);
  const acknowledged = new Set<string>();
  const texts = Array.from({ length: 60 }, (_, index) => `${index} `.padEnd(50_000, "x"));
  const sends: Promise<void>[] = [];
  for (const text of texts) {
    // A few at a time: the queue has a bound.
    if (sends.length >= 4) await Promise.race([sends.at(-4), sleep(200)]);
    sends.push(
      channel.send(text).then(
        () => void acknowledged.add(text),
        () => {},
      ),
    );
    if (server.stderr.includes("disk is full")) break;
  }
  expect(server.stderr).toMatch(/history of news/);
  expect(server.stderr).toMatch(/Nothing of it was acknowledged. Is the disk full\?/);
  expect(acknowledged.size).toBeGreaterThan(5);
  const publish = (body: string): Promise<Response> =>
    fetch(`${server.url}/websocket/news`, {
      method: "POST",
      body,
      headers: { authorization: "Bearer 0123456789abcdef" },
    });
  // A short one may still find room.
  const full = await publish("while it is full");
  expect([202, 503]).toContain(full.status);
  if (full.status === 202) acknowledged.add("while it is full");

  disk.grow();
  await Promise.all(sends);
  await channel.send("there is room again");
  expect((await publish("published")).status).toBe(202);
  const shown = (): unknown[] =>
    seen.flatMap((one) => (one.type === "published" ? [one.message] : []));
  while (shown().at(-1) !== "published") await sleep(10);
  expect(seen.filter(({ type }) => type === "rejoined")).toEqual([]);
  await server.end();
  const history = new SqliteHistory(server.file);
  onTestFinished(() => history.close());
  const stored = history.load("news")!.entries.flatMap(({ type, kind, bytes }) => {
    if (type === "restarted") return [];
    const text = Buffer.from(bytes).toString();
    return kind === "json" ? [JSON.parse(text) as string] : [text];
  });
  expect(stored).toEqual(shown());
  expect([...acknowledged].filter((text) => !stored.includes(text))).toEqual([]);
  expect(new Set(stored).size).toBe(stored.length);
}, 120_000);
