import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { IPty } from "@lydell/node-pty";
import { messageOf } from "../errors.ts";
import { lowerSession, nicer } from "./niceness.ts";
import type { StepEnd } from "./runner.ts";

/** What a step is started with. */
export interface StepStart {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Whether its output is a terminal. */
  readonly tty: boolean;
  /**
   * Whether that terminal is its input, too, at which nobody types. Podman asks its input for the size that the terminal in
   * the container is to have. @default false
   */
  readonly ttyInput?: boolean;
  /** How much less urgent it is than this process: it, and what it starts. @default 0 */
  readonly niceness?: number;
}

/** Who hears of a started step. */
export interface StepListener {
  handleOutput(bytes: Buffer): void;
  /** Nothing more comes out of it. */
  handleOutputEnd(): void;
  handleExit(end: StepEnd): void;
}

/** A started step: the leader of a process group of its own, with no input. */
export interface StepProcess {
  /** Undefined for one that could not be started; `handleExit` says why. */
  readonly pid: number | undefined;
  pause(): void;
  resume(): void;
  readonly isPaused: boolean;
  /** Takes no more of its output. */
  destroy(): void;
}

/** Lines and columns that tools lay their output out for. */
const terminalSize = { cols: 160, rows: 50 } as const;

type Pty = typeof import("@lydell/node-pty");
let pty: Promise<Pty | undefined> | undefined;

/** The library of terminals; undefined where there is none for this machine, and output goes through pipes. */
export function loadTerminals(): Promise<Pty | undefined> {
  pty ??= import("@lydell/node-pty").catch(() => undefined);
  return pty;
}

/** Starts a step. Throws what the system says of arguments that it does not take. */
export function startStep(
  order: StepStart,
  listener: StepListener,
  terminals: Pty | undefined,
): StepProcess {
  const started =
    order.tty && terminals !== undefined
      ? startOnTerminal(order, listener, terminals)
      : startOnPipe(order, listener);
  if (started.pid !== undefined) lowerSession(started.pid, order.niceness ?? 0);
  return started;
}

/** One pipe for both streams keeps their order. The shell only joins them: it becomes the command. */
function startOnPipe(order: StepStart, listener: StepListener): StepProcess {
  const [program, ...args] = shell('exec "$@" 2>&1', order);
  const child = spawn(program, args, {
    cwd: order.cwd,
    env: order.environment,
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  const { stdout } = child;
  // A child that could not be started may have no pipe.
  stdout?.on("data", (bytes: Buffer) => listener.handleOutput(bytes));
  stdout?.on("error", () => stdout.destroy());
  stdout?.once("close", () => listener.handleOutputEnd());
  if (!stdout) queueMicrotask(() => listener.handleOutputEnd());
  child.once("error", (error) =>
    listener.handleExit({ type: "notStarted", message: messageOf(error) }),
  );
  child.once("exit", (code, signal) => listener.handleExit(endOf(code, signal)));
  return {
    pid: child.pid,
    get isPaused() {
      return stdout?.isPaused() ?? false;
    },
    pause: () => void stdout?.pause(),
    resume: () => void stdout?.resume(),
    destroy: () => void stdout?.destroy(),
  };
}

// A terminal that nobody has open hangs up, and its step would end by SIGHUP as soon as it sends its own output to a
// file. So the step has it open once more; of the descriptors that every shell can name the one that scripts use least.
const onTerminal = 'exec "$@" 9>&1';
const withoutInput = 'exec "$@" </dev/null 9>&1';

/** The terminal is the output only, as a rule: what reads its input finds the end of it, and no step waits for a person. */
function startOnTerminal(order: StepStart, listener: StepListener, terminals: Pty): StepProcess {
  checkArguments(order);
  const [program, ...args] = shell(order.ttyInput === true ? onTerminal : withoutInput, order);
  const terminal: IPty = terminals.spawn(program, args, {
    ...terminalSize,
    cwd: order.cwd,
    env: { ...order.environment },
    encoding: null,
  });
  let isPaused = false;
  let hasEnded = false;
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    listener.handleOutputEnd();
  };
  // With no encoding these are bytes, whatever their type says.
  terminal.onData((bytes) => listener.handleOutput(bytes as unknown as Buffer));
  terminal.onExit(({ exitCode, signal }) => {
    listener.handleExit(
      signal === undefined || signal === 0 ? endOf(exitCode, null) : endOf(null, nameOf(signal)),
    );
    end();
  });
  return {
    pid: terminal.pid,
    get isPaused() {
      return isPaused;
    },
    pause() {
      isPaused = true;
      terminal.pause();
    },
    resume() {
      isPaused = false;
      terminal.resume();
    },
    destroy: end,
  };
}

/** A shell that runs a script, with the step as its arguments. */
function shell(script: string, { argv, niceness = 0 }: StepStart): readonly [string, ...string[]] {
  return nicer(niceness, ["/bin/sh", "-c", script, "sh", ...argv]);
}

// `execve` takes no single argument beyond this; the child of a terminal would only exit with 1.
const maxArgumentBytes = 128 * 1024;

function checkArguments({ argv, environment }: StepStart): void {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  for (const text of [...argv, ...variables]) {
    if (Buffer.byteLength(text) >= maxArgumentBytes)
      throw new Error(`an argument or variable is longer than ${maxArgumentBytes} bytes (E2BIG)`);
  }
}

function endOf(code: number | null, signal: NodeJS.Signals | string | null): StepEnd {
  if (code === 0) return { type: "passed" };
  if (code !== null) return { type: "exited", code };
  return { type: "killed", signal: signal ?? "a signal" };
}

function nameOf(signal: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === signal);
  return found?.[0] ?? `signal ${signal}`;
}
