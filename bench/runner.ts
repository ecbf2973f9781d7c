import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import type {
  Faults,
  GeneratorCommands,
  OpenResult,
  Pace,
  PhaseResult,
  ServerCommands,
  Usage,
} from "./commands.ts";
import { commandOf, type Peer } from "./peers.ts";
import {
  gradualStep,
  messageBytes,
  stormConcurrency,
  stormWarmUp,
  warmUpConnections,
  type Row,
  type Scenario,
  type Work,
} from "./plan.ts";
import { pssOf, socketBytes, writesOf } from "./proc.ts";
import type { Sample } from "./sample.ts";

const serverCore = 0;
const generatorCore = 1;
const settleMs = 300;
const phaseTimeoutMs = 180_000;

type PhaseWork = Exclude<Work, { type: "storm" | "idle" | "slow" }>;
type SlowWork = Extract<Work, { type: "slow" }>;

export interface RunOptions {
  readonly round: number;
  /** The folder for CPU profiles; undefined: none are made. */
  readonly profile: string | undefined;
}

/** One peer through one scenario, in two fresh processes. */
export class Run {
  readonly #server: Child<ServerCommands>;
  readonly #generator: Child<GeneratorCommands>;
  readonly #port: number;
  readonly #peer: Peer;
  readonly #scenario: Scenario;
  readonly #round: number;
  readonly #profile: string | undefined;

  static async start(scenario: Scenario, peer: Peer, options: RunOptions): Promise<Run> {
    const { child: server, hello } = await Child.start<ServerCommands, { port: number }>(
      `the server ${peer.name}`,
      commandOf(peer, scenario.name),
      serverCore,
    );
    try {
      const main = fileURLToPath(new URL("generator/main.ts", import.meta.url));
      const { child: generator } = await Child.start<GeneratorCommands, unknown>(
        "the generator",
        [process.execPath, main],
        generatorCore,
      );
      return new Run(server, generator, hello.port, scenario, peer, options);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  private constructor(
    server: Child<ServerCommands>,
    generator: Child<GeneratorCommands>,
    port: number,
    scenario: Scenario,
    peer: Peer,
    options: RunOptions,
  ) {
    this.#server = server;
    this.#generator = generator;
    this.#port = port;
    this.#scenario = scenario;
    this.#peer = peer;
    this.#round = options.round;
    this.#profile = peer.runtime === "node" ? options.profile : undefined;
  }

  /** A sample for each row. */
  async run(): Promise<Sample[]> {
    const samples: Sample[] = [];
    const isStorm = this.#scenario.rows.some(({ work }) => work.type === "storm");
    await this.#open(Math.min(isStorm ? stormWarmUp : warmUpConnections, this.#scenario.clients));
    await this.#generator.ask("close", { onlySlow: false });
    await sleep(settleMs);
    const base = await this.#memory();
    const opened = this.#scenario.isGradual ? await this.#openGradually() : await this.#storm(base);
    let isWarm = false;
    for (const row of this.#scenario.rows) {
      const { work } = row;
      if (work.type === "storm") {
        samples.push(opened(row));
      } else if (work.type === "idle") {
        samples.push(await this.#idle(row, base));
      } else if (work.type === "slow") {
        samples.push(await this.#slow(row, work));
      } else {
        if (!isWarm) for (const one of this.#scenario.warmUp) await this.#phase(one as PhaseWork);
        isWarm = true;
        samples.push(await this.#measured(row, work));
      }
    }
    return samples;
  }

  async stop(): Promise<void> {
    // Where one of them has failed, there is nobody to close, or to be told.
    await this.#generator.ask("close", { onlySlow: false }).catch(() => {});
    await Promise.all([this.#generator.stop(), this.#server.stop()]);
  }

  /** Rejects unless all come up. */
  async #open(count: number, pace: Pace = "fast"): Promise<OpenResult> {
    const opened = await this.#generator.ask("open", {
      port: this.#port,
      count,
      concurrency: stormConcurrency,
      dialect: this.#peer.dialect,
      pace,
    });
    if (opened.failed === 0) return opened;
    throw new Error(
      `${opened.failed} of ${count} connections failed: ${opened.failure ?? "late"}.`,
    );
  }

  /** Opens all connections. What is returned makes the row of it, if there is one. */
  async #storm(base: Memory): Promise<(row: Row) => Sample> {
    const { clients, rows } = this.#scenario;
    const row = rows.find(({ work }) => work.type === "storm");
    if (row !== undefined) await this.#beginProfile();
    const before = await this.#server.ask("usage", {});
    const { ms, generatorShare } = await this.#open(clients);
    // Joins may be handled after the handshake.
    await sleep(settleMs);
    const after = await this.#server.ask("usage", {});
    if (row !== undefined) await this.#endProfile(row);
    const { pssBytes } = this.#between(base, await this.#memory());
    const cpuUs = cpuBetween(before, after);
    return (of) => ({
      ...this.#head(of),
      figures: {
        perSecond: (clients * 1000) / ms,
        cpuUs: cpuUs / clients,
        ...(pssBytes === undefined ? {} : { pssBytes }),
      },
      serverShare: cpuUs / 1000 / (ms + settleMs),
      generatorShare,
    });
  }

  async #openGradually(): Promise<(row: Row) => never> {
    for (let open = 0; open < this.#scenario.clients; open += gradualStep) {
      await this.#open(Math.min(gradualStep, this.#scenario.clients - open));
      await this.#server.ask("gc", {});
    }
    return (row) => {
      throw new Error(`Expected ${row.name} to be in a scenario where all connect at once.`);
    };
  }

  async #idle(row: Row, base: Memory): Promise<Sample> {
    await sleep(settleMs);
    return {
      ...this.#head(row),
      figures: this.#between(base, await this.#memory()),
      serverShare: 0,
      generatorShare: 0,
    };
  }

  /** What a connection has added. */
  #between(base: Memory, now: Memory): { pssBytes?: number; heapBytes: number } {
    const { clients } = this.#scenario;
    const heapBytes = (now.heap - base.heap) / clients;
    if (now.pss === undefined || base.pss === undefined) return { heapBytes };
    return { pssBytes: (now.pss - base.pss) / clients, heapBytes };
  }

  async #memory(): Promise<Memory> {
    const { heapBytes, externalBytes } = await this.#server.ask("gc", {});
    return { pss: pssOf(this.#server.pid), heap: heapBytes + externalBytes };
  }

  async #measured(row: Row, work: PhaseWork): Promise<Sample> {
    await this.#beginProfile();
    const before = await this.#server.ask("usage", {});
    const writesBefore = writesOf(this.#server.pid);
    const result = await this.#phase(work);
    const writesAfter = writesOf(this.#server.pid);
    const after = await this.#server.ask("usage", {});
    await this.#endProfile(row);
    const cpuUs = cpuBetween(before, after);
    const { deliveries, messages, ms, p50Ms, p99Ms, generatorShare, timedOut } = result;
    const { missing, repeated, reordered, damaged, lost } = result;
    const canCount = this.#peer.runtime === "node" && writesBefore !== undefined;
    return {
      ...this.#head(row),
      figures:
        row.isCallback === true
          ? {
              callbackNs: (cpuUs * 1000) / messages,
              callbacksPerCore: (messages * 1e6) / cpuUs,
              callbacksPerSecond: (messages * 1000) / ms,
            }
          : { cpuNs: (cpuUs * 1000) / deliveries },
      deliveries,
      faults: { missing, repeated, reordered, damaged, lost },
      writesPerMessage:
        canCount && writesAfter !== undefined
          ? (writesAfter - writesBefore) / deliveries
          : undefined,
      p50Ms,
      p99Ms,
      serverShare: cpuUs / 1000 / ms,
      generatorShare,
      failure: timedOut ? "not all messages arrived" : undefined,
    };
  }

  /** With the slow ones first: what they hold is seen against a process that has held little before. */
  async #slow(row: Row, { size, perSecond, ms, never, slow }: SlowWork): Promise<Sample> {
    await this.#generator.ask("paced", { size, perSecond, ms: 1000 }, phaseTimeoutMs);
    await this.#open(never, "never");
    await this.#open(slow, "slow");
    const base = await this.#memory();
    const socketsBefore = socketBytes() ?? 0;
    const before = await this.#server.ask("usage", {});
    const along = await this.#generator.ask("paced", { size, perSecond, ms }, phaseTimeoutMs);
    const cpuUs = cpuBetween(before, await this.#server.ask("usage", {}));
    const raw = pssOf(this.#server.pid);
    const kernel = (socketBytes() ?? 0) - socketsBefore;
    const now = await this.#memory();
    const released = await this.#generator.ask("release", {}, phaseTimeoutMs);
    await this.#generator.ask("close", { onlySlow: true });
    const alone = await this.#generator.ask("paced", { size, perSecond, ms }, phaseTimeoutMs);
    const backlog = along.messages * size;
    const copies = (then: number | undefined, what: number | undefined) =>
      then === undefined || what === undefined ? undefined : (what - then) / backlog;
    const figures = {
      copies: copies(base.pss, now.pss),
      heapCopies: copies(base.heap, now.heap),
      rawCopies: copies(base.pss, raw),
      kernelCopies: kernel / backlog,
      p99Ratio: along.p99Ms / alone.p99Ms,
    };
    const sum = (what: keyof Faults) => along[what] + released[what] + alone[what];
    const isLate = along.timedOut || released.timedOut || alone.timedOut;
    return {
      ...this.#head(row),
      figures: Object.fromEntries(
        Object.entries(figures).filter(([, value]) => value !== undefined),
      ) as Sample["figures"],
      deliveries: along.deliveries + released.deliveries + alone.deliveries,
      faults: {
        missing: sum("missing"),
        repeated: sum("repeated"),
        reordered: sum("reordered"),
        damaged: sum("damaged"),
        lost: sum("lost"),
      },
      p50Ms: along.p50Ms,
      p99Ms: along.p99Ms,
      serverShare: cpuUs / 1000 / along.ms,
      generatorShare: along.generatorShare,
      failure: isLate ? "not all messages arrived" : undefined,
      note: `backlog ${megabytes(backlog)}; behind at its end: ${megabytes(released.maxBehindBytes)} the most, ${megabytes(released.behindBytes)} all together; p99 ${along.p99Ms.toFixed(1)} ms, without them ${alone.p99Ms.toFixed(1)} ms`,
    };
  }

  async #beginProfile(): Promise<void> {
    if (this.#profile !== undefined) await this.#server.ask("profile", {});
  }

  async #endProfile(row: Row): Promise<void> {
    if (this.#profile === undefined) return;
    const name = `${this.#peer.name}-${row.name}-${this.#round}.cpuprofile`;
    await this.#server.ask("profile", { file: join(this.#profile, name) });
  }

  #phase(work: PhaseWork): Promise<PhaseResult> {
    return this.#generator.ask(work.type, { size: messageBytes, ...work }, phaseTimeoutMs);
  }

  #head(row: Row) {
    return {
      round: this.#round,
      row: row.name,
      peer: this.#peer.name,
      deliveries: 0,
      faults: undefined,
      writesPerMessage: undefined,
      p50Ms: undefined,
      p99Ms: undefined,
      failure: undefined,
      note: undefined,
    };
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

interface Memory {
  readonly pss: number | undefined;
  readonly heap: number;
}

function cpuBetween(before: Usage, after: Usage): number {
  return after.cpuUs - before.cpuUs;
}
