import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { BuildConsole } from "../src/console/console.ts";
import { SealedLogs } from "../src/log/sealed-logs.ts";
import { BuildFolders } from "../src/run/build-folders.ts";
import { openDatabase } from "../src/store/database.ts";
import { StartedStore } from "../src/store/started-store.ts";
import { Store } from "../src/store/store.ts";
import { newBuildOf } from "./support/builds.ts";
import { temporaryFolder } from "./support/temporary.ts";

/** As 1,000 are for a server. */
const held = 20;

class Rig {
  readonly dataDir = temporaryFolder();
  readonly database = openDatabase(this.dataDir);
  readonly store = new Store(this.database);
  readonly started = new StartedStore(this.database);
  readonly #repository = this.store.repository("/p", "project").id;
  readonly #sealed = new SealedLogs(this.dataDir, () => {});
  readonly #folders = new BuildFolders(this.dataDir, this.#sealed);

  constructor() {
    onTestFinished(() => {
      this.database.close();
      this.#sealed.close();
    });
  }

  start(): number {
    const { id } = this.store.insertBuild(newBuildOf(this.#repository));
    this.store.startBuild(id, "cookie", 1);
    return id;
  }

  /** Ends a build that has printed one line. Every third has lost its log to retention. */
  end(id: number): void {
    const text = lineOf(id);
    if (id % 3 !== 0) {
      const folder = this.#folders.of(id).path;
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, "console.log"), text);
    }
    const end = { state: "passed", reason: null, finishedMs: 2, durationMs: 1 } as const;
    this.store.endBuild(id, { ...end, logBytes: text.length });
  }

  /** The console of a server that starts now. */
  console(): BuildConsole {
    const console = new BuildConsole(
      {
        at: (offset, limit) => this.started.at(offset, limit),
        log: (id, bytes) => this.#folders.console(id, bytes),
      },
      held,
    );
    const { bytesBefore, logs } = this.started.newest(held);
    console.skip(bytesBefore);
    for (const { buildId, bytes } of logs) {
      console.add(buildId);
      this.complete(console, buildId, bytes);
    }
    return console;
  }

  complete(console: BuildConsole, id: number, bytes: number): void {
    console.complete(id, this.#folders.console(id, bytes));
  }
}

function lineOf(id: number): string {
  return `${"x".repeat(id % 7)} build ${id}\n`;
}

function linesOf(first: number, last: number): string {
  const ids = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return ids
    .filter((id) => id % 3 !== 0)
    .map(lineOf)
    .join("");
}

async function readFrom(console: BuildConsole, from: number, maxBytes: number): Promise<string> {
  let text = "";
  for (let next = from; next < console.head();) {
    const slice = await console.read(next, maxBytes);
    expect(slice.next).toBeGreaterThan(next);
    text += slice.text;
    next = slice.next;
  }
  return text;
}

describe("a console of more builds than it holds", () => {
  const count = 2 * held + 50;

  test("has every offset that it had, and holds the newest", async () => {
    const rig = new Rig();
    rig.store.transaction(() => {
      for (let built = 0; built < count; built++) rig.end(rig.start());
    });
    expect(rig.started.newest(held).logs).toHaveLength(held);
    const console = rig.console();
    let start = 0;
    for (let id = 1; id < count; id++) start += lineOf(id).length;
    expect(console.head()).toBe(start + lineOf(count).length);
    expect(console.startOf(count)).toBe(start);
    expect(console.startOf(1)).toBeUndefined();
    expect(await readFrom(console, 0, 64)).toBe(linesOf(1, count));
    expect(await readFrom(console, 1, 1e6)).toBe(linesOf(2, count));
  });

  test("lets go of old ones as new ones come, and loses nothing", async () => {
    const rig = new Rig();
    const console = rig.console();
    rig.store.transaction(() => {
      for (let id = 1; id <= count; id++) {
        rig.end(rig.start());
        console.add(id);
        rig.complete(console, id, lineOf(id).length);
      }
    });
    expect(console.startOf(1)).toBeUndefined();
    expect(console.startOf(count - held)).toBeDefined();
    expect(await readFrom(console, 0, 64)).toBe(linesOf(1, count));
  });

  test("holds all since the oldest that runs", () => {
    const rig = new Rig();
    rig.end(rig.start());
    const running = rig.start();
    for (let built = 0; built < 5; built++) rig.end(rig.start());
    expect(rig.started.newest(2)).toMatchObject({
      bytesBefore: lineOf(1).length,
      logs: [running, 3, 4, 5, 6, 7].map((buildId) => ({ buildId })),
    });
    expect(new Rig().started.newest(2)).toEqual({ bytesBefore: 0, logs: [] });
  });
});
