import { fork, type ChildProcess } from "node:child_process";
import { devServerCommand } from "./command-line.ts";
import type { FromDevServer, ToDevServer } from "./dev-protocol.ts";

/** How a server process came to its end. */
export interface ServerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** No change of a file can mend what stopped it. */
  readonly isFinal: boolean;
}

/**
 * A server in a process of its own, with a fresh view of every file.
 *
 * ```
 *   loading ──► listening ──► stopping ──► ended
 *      └────────────┴────────────────────────▲   failed, crashed, or did not stop in time
 * ```
 */
export class ServerProcess {
  readonly ended: Promise<ServerEnd>;
  readonly #child: ChildProcess;
  readonly #graceMs: number;
  #port: number | undefined;

  /** `graceMs`: how long it may take to stop before it is killed. */
  constructor(args: readonly string[], graceMs: number) {
    this.#graceMs = graceMs;
    const [, program = ""] = process.argv;
    // `execArgv` and conditions are handed on: what loaded us loads the services too.
    const child = fork(program, [devServerCommand, ...args]);
    this.#child = child;
    this.ended = new Promise((resolve) => {
      let isFinal = false;
      child.on("message", (message: FromDevServer) => {
        if (message.type === "listening") this.#port = message.port;
        else isFinal = message.isFinal;
      });
      child.on("error", () => resolve({ code: null, signal: null, isFinal: true }));
      child.on("exit", (code, signal) => resolve({ code, signal, isFinal }));
    });
  }

  /** The port that it listens on; undefined before. */
  get port(): number | undefined {
    return this.#port;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    // Before it listens it has no clients, and might be waiting for what never comes.
    if (this.#port === undefined || !child.connected) child.kill("SIGKILL");
    else child.send({ type: "stop" } satisfies ToDevServer, () => {});
    const timer = setTimeout(() => child.kill("SIGKILL"), this.#graceMs);
    await this.ended;
    clearTimeout(timer);
  }
}
