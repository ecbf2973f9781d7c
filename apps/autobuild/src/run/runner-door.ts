import { rmSync } from "node:fs";
import net from "node:net";
import type { Clock } from "../clock.ts";
import { LineReader } from "./line-reader.ts";
import { socketName, type RunnerCommand, type RunnerNews } from "./runner-protocol.ts";

const throttleMs = 16;
const maxCommandBytes = 64 * 1024;
/** A server that reads nothing is given up: it connects again, and asks the files. */
const maxWaitingBytes = 1024 * 1024;

/**
 * The runner's end of the socket: tells what has grown, takes commands.
 *
 * The first news after a silence goes out at once, those of the next 16 ms together. A server that is not
 * there misses nothing, since all is in the files.
 */
export class RunnerDoor {
  readonly #clock: Clock;
  readonly #handleCommand: (command: RunnerCommand) => void;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #grown = new Map<string, readonly [number | null, number]>();
  #console = 0;
  #hasJournalGrown = false;
  #cancelTimer: (() => void) | undefined;
  #isDue = false;

  constructor(clock: Clock, handleCommand: (command: RunnerCommand) => void) {
    this.#clock = clock;
    this.#handleCommand = handleCommand;
    this.#server = net.createServer((socket) => this.#accept(socket));
  }

  /** Opens the socket in the working folder: a name that is always short enough. */
  async open(): Promise<void> {
    rmSync(socketName, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(socketName, resolve);
    });
  }

  handleConsoleGrown(length: number): void {
    this.#console = length;
    this.#tell();
  }

  handleLogGrown(position: number | null, attempt: number): void {
    this.#grown.set(`${position}.${attempt}`, [position, attempt]);
    this.#tell();
  }

  handleJournalGrown(): void {
    this.#hasJournalGrown = true;
    this.#tell();
  }

  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#send();
    for (const socket of this.#sockets) socket.end();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: net.Socket): void {
    const lines = new LineReader(maxCommandBytes);
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (bytes: Buffer) => {
      try {
        for (const line of lines.push(bytes))
          this.#handleCommand(JSON.parse(line) as RunnerCommand);
      } catch {
        socket.destroy(); // Not a server of ours.
      }
    });
    this.#write(socket, { console: this.#console, logs: [], hasJournalGrown: true });
  }

  #tell(): void {
    if (this.#cancelTimer !== undefined) {
      this.#isDue = true;
      return;
    }
    this.#send();
    this.#cancelTimer = this.#clock.after(throttleMs, () => {
      this.#cancelTimer = undefined;
      if (!this.#isDue) return;
      this.#isDue = false;
      this.#tell();
    });
  }

  #send(): void {
    const news: RunnerNews = {
      console: this.#console,
      logs: [...this.#grown.values()],
      hasJournalGrown: this.#hasJournalGrown,
    };
    this.#grown.clear();
    this.#hasJournalGrown = false;
    for (const socket of this.#sockets) this.#write(socket, news);
  }

  #write(socket: net.Socket, news: RunnerNews): void {
    if (socket.writableLength > maxWaitingBytes) socket.destroy();
    else socket.write(`${JSON.stringify(news)}\n`);
  }
}
