import { ClientError, createClient, type Channel, type ConnectOptions } from "windsock/client";
import { hasEnded, type Build } from "../build/build.ts";
import { formatDuration } from "../duration.ts";
import { AutobuildError, messageOf } from "../errors.ts";
import { plainText } from "../plain-text.ts";
import type { ApiClient } from "./api-client.ts";
import { resetColour, terminalText } from "./terminal-text.ts";
import type { Terminal } from "./terminal.ts";

type Builds = typeof import("../websocket/builds.ts").default;
type Log = typeof import("../websocket/log/[build].ts").default;

/** What is shown while a build is followed. */
export interface FollowOptions {
  /** Output as it is, with all that steers a terminal. @default false */
  readonly raw?: boolean;
  /** The byte of the log to begin at. @default 0 */
  readonly from?: number;
}

const statusEveryMs = 500;

/** The rest of a log whose build has ended comes within this time, or is asked for anew. */
const restWithinMs = 5000;

/**
 * Prints a build's log until the build has ended, over whatever cuts of the connection. Resolves with the build.
 *
 * The log comes as at `/websocket/log/<build>`, and goes on at the byte where the last connection ended. It is over
 * when the build has ended and its last byte was printed.
 */
export async function followBuild(
  api: ApiClient,
  id: number,
  terminal: Terminal,
  { raw = false, from = 0 }: FollowOptions = {},
): Promise<Build> {
  const follower = new Follower(api, await api.build(id), terminal, raw, from);
  const timer = setInterval(() => terminal.status(statusOf(follower.build)), statusEveryMs);
  try {
    await follower.run();
    return follower.build;
  } finally {
    clearInterval(timer);
    terminal.status("");
    if (terminal.isInteractive) await terminal.write(resetColour);
  }
}

class Follower {
  build: Build;
  readonly #terminal: Terminal;
  readonly #raw: boolean;
  readonly #connect = createClient().connect;
  readonly #options: ConnectOptions;
  /** The log that is read now. Closing it ends the reading. */
  #log: Channel<Log> | undefined;
  #failure: Error | undefined;
  #offset: number;
  /** Behind the last byte; infinite while nobody knows. */
  #end = Infinity;

  constructor(api: ApiClient, build: Build, terminal: Terminal, raw: boolean, from: number) {
    const { url, token } = api.server;
    this.build = build;
    this.#terminal = terminal;
    this.#raw = raw;
    this.#offset = from;
    this.#options = { url, ...(token === undefined ? {} : { auth: token }) };
  }

  async run(): Promise<void> {
    using builds = this.#connect<Builds>("builds", this.#options);
    builds.on("message", (event) => {
      if (event.type === "build") this.#take(event.build);
      if (event.type === "snapshot") for (const build of event.builds) this.#take(build);
    });
    builds.on("error", (error) => {
      this.#failure = sayable(error);
      this.#log?.close();
    });
    this.#take(this.build);
    let seen = -1;
    const timer = setInterval(() => {
      if (Number.isFinite(this.#end) && seen === this.#offset) this.#log?.close();
      seen = this.#offset;
    }, restWithinMs);
    // A reader that fell behind, and one whose membership was lost, begins anew where it stands.
    try {
      while (this.#offset < this.#end && this.#failure === undefined) await this.#read();
    } finally {
      clearInterval(timer);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #take(build: Build): void {
    if (build.id !== this.build.id) return;
    this.build = build;
    if (hasEnded(build)) this.#end = build.startedMs === null ? 0 : build.logBytes;
    if (this.#offset >= this.#end) this.#log?.close();
  }

  /** Prints until all is printed, or until it has to begin anew. */
  async #read(): Promise<void> {
    using log = this.#connect<Log>(`log/${this.build.id}?from=${this.#offset}`, this.#options);
    this.#log = log;
    try {
      for await (const event of log.events()) {
        switch (event.type) {
          case "message":
            if (event.source.type !== "tail") break;
            await this.#terminal.write(
              `${this.#raw ? String(event.message) : terminalText(String(event.message))}\n`,
            );
            this.#offset = event.source.offset;
            if (this.#offset >= this.#end) return;
            break;
          case "rejoined":
            return;
          case "state":
            if (event.state.type === "suspended")
              this.#terminal.say("The connection has been gone for two minutes; trying on.");
            break;
          case "error":
            throw event.error;
          default:
        }
      }
    } catch (error) {
      if (error instanceof ClientError && error.code === "WINDSOCK_SLOW_READER") return;
      throw sayable(error);
    } finally {
      this.#log = undefined;
    }
  }
}

function sayable(error: unknown): Error {
  if (!(error instanceof ClientError))
    return error instanceof Error ? error : new Error(messageOf(error));
  return new AutobuildError("AUTOBUILD_STOPPED", error.message, { cause: error });
}

/** `build 12 of project main: running for 1 min 2 s, test` */
function statusOf({ id, repository, branch, state, startedMs, steps }: Build): string {
  const running = steps.filter((step) => step.state === "running").map(({ name }) => name);
  const since = startedMs === null ? "" : ` for ${formatDuration(Date.now() - startedMs)}`;
  const doing = running.length === 0 ? "" : `, ${running.join(", ")}`;
  return plainText(`build ${id} of ${repository} ${branch}: ${state}${since}${doing}`);
}
