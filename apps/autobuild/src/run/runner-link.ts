import { open, readFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BuildOutcome } from "../build/build-execution.ts";
import type { Clock } from "../clock.ts";
import { JournalReader } from "../log/journal-reader.ts";
import type { BuildFolder } from "./build-folder.ts";
import type { JournalEntry } from "./journal.ts";
import { LineReader } from "./line-reader.ts";
import { isAlive } from "./process-identity.ts";
import { processesOf } from "./process-tree.ts";
import {
  socketName,
  type RunnerCommand,
  type RunnerFile,
  type RunnerNews,
} from "./runner-protocol.ts";

/** Who hears of a build that a runner carries out. */
export interface LinkListener {
  /** Once for each entry of the journal, from its first on, in order. */
  handleEntries(entries: readonly JournalEntry[]): void;
  handleConsoleGrown(length: number): void;
  handleLogGrown(position: number | null, attempt: number): void;
}

/** How following a runner came to its end. */
export type LinkEnd =
  | { readonly type: "ended"; readonly entry: JournalEntry & { readonly type: "ended" } }
  /** The runner is gone, and has written no end. `asked`: with what it was to end the build. */
  | {
      readonly type: "lost";
      readonly message: string;
      readonly asked: BuildOutcome | undefined;
    }
  /** Somebody closed the link; the build goes on. */
  | { readonly type: "closed" };

const retryMs = 20;
const slowRetryMs = 500;
/** How long a process that has the build's cookie may take until it says who it is. */
const startTimeoutMs = 10_000;
/** What a runner has to end a build that is cancelled: many times what it takes, steps that ignore TERM included. */
const maxCancelMs = 60_000;
const maxNewsBytes = 1024 * 1024;
/** Longer than this no path of a socket may be on any system; Linux has 108, macOS 104, both with a NUL. */
const maxSocketPath = 100;

/**
 * Follows the runner of one build from the files in its folder, from wherever the build is.
 *
 * The socket only says when to look, and takes the order to cancel: whoever follows may come and go.
 */
export class RunnerLink {
  readonly #folder: BuildFolder;
  readonly #journal: JournalReader;
  readonly #cookie: string;
  readonly #listener: LinkListener;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #socket: net.Socket | undefined;
  #cancelWith: BuildOutcome | undefined;
  #stopWaiting: (() => void) | undefined;
  #wasKilled = false;
  #ended: (JournalEntry & { type: "ended" }) | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(folder: BuildFolder, cookie: string, listener: LinkListener, clock: Clock) {
    this.#folder = folder;
    this.#journal = new JournalReader(folder.journal);
    this.#cookie = cookie;
    this.#listener = listener;
    this.#clock = clock;
  }

  /** Asks the runner to end the build with that outcome. The first one counts. One that stands still is killed. */
  cancel(outcome: BuildOutcome): void {
    this.#cancelWith ??= outcome;
    this.#stopWaiting ??= this.#clock.after(maxCancelMs, () => void this.#kill());
    this.#sendCancel();
  }

  /** Lets go of the build; the runner goes on. */
  close(): void {
    this.#closing.abort();
    this.#stopWaiting?.();
    this.#socket?.destroy();
  }

  /** Follows until the end. Call it once. */
  async follow(): Promise<LinkEnd> {
    try {
      return await this.#follow();
    } finally {
      this.#stopWaiting?.();
    }
  }

  async #follow(): Promise<LinkEnd> {
    const startedMs = performance.now();
    for (let tries = 0; ; tries++) {
      if (this.#closing.signal.aborted) return { type: "closed" };
      const runner = await this.#runner();
      // Looked at before the journal is read: what dies in between has written its end by then.
      const mayLive =
        runner === undefined
          ? performance.now() - startedMs < startTimeoutMs &&
            (tries === 0 || (await processesOf(this.#cookie)).length > 0)
          : await isAlive(runner);
      await this.#readJournal();
      if (this.#ended !== undefined && !mayLive) return { type: "ended", entry: this.#ended };
      if (!mayLive) return this.#lost();
      if (runner !== undefined) await this.#followSocket();
      if (!this.#closing.signal.aborted) await sleep(tries < 50 ? retryMs : slowRetryMs);
    }
  }

  async #runner(): Promise<RunnerFile | undefined> {
    try {
      return JSON.parse(await readFile(this.#folder.runner, "utf8")) as RunnerFile;
    } catch {
      return undefined;
    }
  }

  /** Resolves when the connection has ended, or there is none. */
  async #followSocket(): Promise<void> {
    const { path: address, release } = await socketAddress(this.#folder.path);
    const lines = new LineReader(maxNewsBytes);
    await new Promise<void>((resolve) => {
      const socket = net.connect(address);
      this.#socket = socket;
      if (this.#closing.signal.aborted) socket.destroy();
      socket.once("connect", () => this.#sendCancel());
      socket.on("data", (bytes: Buffer) => {
        try {
          for (const line of lines.push(bytes)) this.#handleNews(JSON.parse(line) as RunnerNews);
        } catch {
          socket.destroy();
        }
      });
      socket.on("error", () => socket.destroy());
      socket.once("close", () => resolve());
    });
    this.#socket = undefined;
    await release();
    await this.#reading;
  }

  #handleNews(news: RunnerNews): void {
    this.#listener.handleConsoleGrown(news.console);
    for (const [position, attempt] of news.logs) this.#listener.handleLogGrown(position, attempt);
    if (news.hasJournalGrown) void this.#readJournal();
  }

  #sendCancel(): void {
    if (this.#cancelWith === undefined || this.#socket?.readyState !== "open") return;
    const command: RunnerCommand = { type: "cancel", outcome: this.#cancelWith };
    this.#socket.write(`${JSON.stringify(command)}\n`);
  }

  /** Reads what is new, one reading at a time. */
  #readJournal(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#readNewEntries());
    return this.#reading;
  }

  async #readNewEntries(): Promise<void> {
    // What cannot be read now is asked for again, at the latest when the runner is gone.
    const entries: JournalEntry[] = await this.#journal.readOn().catch(() => []);
    if (entries.length === 0) return;
    this.#ended = entries.find((entry) => entry.type === "ended") ?? this.#ended;
    this.#listener.handleEntries(entries);
  }

  async #kill(): Promise<void> {
    const runner = await this.#runner();
    if (this.#closing.signal.aborted || runner === undefined || !(await isAlive(runner))) return;
    try {
      process.kill(runner.pid, "SIGKILL");
      this.#wasKilled = true;
    } catch {
      // It ended by itself.
    }
  }

  async #lost(): Promise<LinkEnd> {
    const message = this.#wasKilled
      ? `its runner did not end it within ${maxCancelMs / 1000} s, and was killed`
      : await this.#lastWords();
    return { type: "lost", message, asked: this.#cancelWith };
  }

  async #lastWords(): Promise<string> {
    const said = (await readFile(this.#folder.runnerErrors, "utf8").catch(() => "")).trim();
    const last = said.split("\n").find((line) => /\bError\b/.test(line));
    return `its runner has gone${last === undefined ? "" : `: ${last.slice(0, 300)}`}`;
  }
}

/** A path by which this process can reach a folder's socket, within the length that systems allow. */
async function socketAddress(
  folder: string,
): Promise<{ readonly path: string; readonly release: () => Promise<void> }> {
  const absolute = path.join(folder, socketName);
  const relative = path.relative(process.cwd(), absolute);
  const shorter = relative.length < absolute.length ? relative : absolute;
  if (Buffer.byteLength(shorter) <= maxSocketPath || process.platform !== "linux")
    return { path: shorter, release: () => Promise.resolve() };
  const handle = await open(folder, "r");
  return {
    path: `/proc/self/fd/${handle.fd}/${socketName}`,
    release: () => handle.close(),
  };
}
