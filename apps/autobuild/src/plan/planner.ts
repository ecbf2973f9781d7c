import { fileURLToPath } from "node:url";
import { AutobuildError, type AutobuildErrorCode } from "../errors.ts";
import { cookieVariable, inheritedEnvironment } from "../run/environment.ts";
import { BoundedProcess, type BoundedEnd } from "./bounded-process.ts";
import type { Plan } from "./plan.ts";
import type { BuildContext } from "./when.ts";

const main = fileURLToPath(new URL("planner-main.ts", import.meta.url));

/** Finds out how to build what lies in a folder, as `findPlan` does. */
export interface Planner {
  plan(folder: string, context: BuildContext): Promise<Plan>;
}

/** What the planning process is asked. */
export interface PlanQuestion {
  readonly folder: string;
  readonly context: BuildContext;
}

/** What it answers. */
export type PlanAnswer =
  | { readonly type: "planned"; readonly plan: Plan }
  | { readonly type: "refused"; readonly code: AutobuildErrorCode; readonly message: string };

/** Bounds of planning. */
export interface PlanLimits {
  /** With the 10 seconds that a configuration in TypeScript may take. @default 60_000 */
  readonly timeoutMs: number;
  /** The plan as JSON. @default 16 MiB */
  readonly maxBytes: number;
}

const limits: PlanLimits = { timeoutMs: 60_000, maxBytes: 16 * 1024 * 1024 };
const heapMiB = 256;
const dataMiB = 2048;

/**
 * Plans one build in a process of its own, which ends with its answer.
 *
 * It reads what somebody committed, which may be made to confuse whoever reads it; and it has in memory neither the
 * build's secrets nor a way to the server. Its environment is what steps inherit by default. It starts at once, beside
 * the checkout; it is part of the build, and is found by the build's cookie if that loses its runner.
 */
export class PlanningProcess implements Planner {
  readonly #limits: PlanLimits;
  readonly #process: BoundedProcess;

  constructor(own: NodeJS.ProcessEnv = process.env, allowed: PlanLimits = limits) {
    const kept = ["NODE_COMPILE_CACHE", cookieVariable];
    this.#limits = allowed;
    this.#process = new BoundedProcess({
      argv: [main],
      cwd: "/",
      environment: inheritedEnvironment(own, kept),
      ...allowed,
      heapMiB,
      dataMiB,
    });
  }

  /** Call it once. Rejects as `findPlan` does, or with what became of the process. */
  async plan(folder: string, context: BuildContext): Promise<Plan> {
    const question: PlanQuestion = { folder, context };
    const end = await this.#process.ask(JSON.stringify(question));
    if (end.type !== "answered") throw new Error(this.#sayEnd(end));
    const answer = JSON.parse(end.answer) as PlanAnswer;
    if (answer.type === "refused") throw new AutobuildError(answer.code, answer.message);
    return answer.plan;
  }

  /** Ends it, whatever it does. */
  end(): Promise<void> {
    return this.#process.kill();
  }

  #sayEnd(end: Exclude<BoundedEnd, { type: "answered" }>): string {
    switch (end.type) {
      case "timedOut":
        return `Expected a plan within ${this.#limits.timeoutMs / 1000} s, got none. Make the configuration, or the names that it looks for, simpler.`;
      case "tooLarge":
        return `Expected a plan of at most ${this.#limits.maxBytes} bytes, got a larger one. Write fewer steps, or shorter ones.`;
      case "killed":
        return "Expected a plan, and the build was ended before there was one.";
      case "failed": {
        const said = end.message.split("\n").find((line) => /\bError\b|out of memory/.test(line));
        return `Expected a plan, and what makes it ended without one${said === undefined ? "" : `: ${said.trim().slice(0, 300)}`}.`;
      }
    }
  }
}
