import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { ServerFigures } from "./durable-server.ts";

const program = new URL("./durable-server.ts", import.meta.url).pathname;

/** A server in a process of its own, which can be killed and comes back on the same port with the same history. */
export class ServerProcess {
  readonly file: string;
  /** What it wrote to stderr, over all its lives. */
  stderr = "";
  #child: ChildProcess | undefined;
  #port = 0;
  readonly #folder: string | undefined;

  /** `folder`: where the history lies. Absent: in a new one, which goes when the server does. */
  constructor(folder?: string) {
    this.#folder =
      folder === undefined ? mkdtempSync(join(tmpdir(), "windsock-faults-")) : undefined;
    this.file = join(folder ?? this.#folder ?? "", "history.sqlite");
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      ["--conditions=@windsock/source", program, this.file, String(this.#port)],
      { stdio: ["ignore", "pipe", "pipe", "ipc"] },
    );
    this.#child = child;
    child.stderr?.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    const listening = once(createInterface(child.stdout as Readable), "line") as Promise<[string]>;
    const exited = once(child, "exit").then(() => {
      throw new Error(`Expected the server to listen, and it ended: ${this.stderr}`);
    });
    exited.catch(() => {});
    const [url] = await Promise.race([listening, exited]);
    this.#port = Number(new URL(url).port);
  }

  /** Its memory, and how late its event loop was since this was asked last. */
  async figures(): Promise<ServerFigures> {
    const child = this.#child;
    if (child === undefined) throw new Error("Expected a server that runs.");
    child.send("figures");
    const [figures] = (await once(child, "message")) as [ServerFigures];
    return figures;
  }

  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  /** Kills it, if it lives, and takes its files away. */
  async remove(): Promise<void> {
    await this.end();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
