import type { PlannedStep } from "../plan/plan.ts";

/** Where a step is on its way through a build. */
type Progress = "waiting" | "running" | "passed" | "over";

/** Which steps of a plan may start, as those that they need pass. */
export class StepGraph {
  readonly #steps: readonly PlannedStep[];
  readonly #progress: Progress[];
  readonly #positions: ReadonlyMap<string, number>;

  constructor(steps: readonly PlannedStep[]) {
    this.#steps = steps;
    this.#progress = steps.map(() => "waiting");
    this.#positions = new Map(steps.map(({ name }, position) => [name, position]));
  }

  /** Steps that wait for nothing any more, in the order of the plan. */
  ready(): number[] {
    return this.#waiting((states) => states.every((state) => state === "passed"));
  }

  start(position: number): void {
    this.#progress[position] = "running";
  }

  /** Ends a step. Returns the steps that will never start because of it, in order. */
  end(position: number, hasPassed: boolean): number[] {
    this.#progress[position] = hasPassed ? "passed" : "over";
    const skipped: number[] = [];
    // What needs a skipped step is skipped too.
    for (;;) {
      const next = this.#waiting((states) => states.includes("over"));
      if (next.length === 0) return skipped.toSorted((left, right) => left - right);
      for (const each of next) this.#progress[each] = "over";
      skipped.push(...next);
    }
  }

  /** Ends all that waits. Returns the steps that so will never start. */
  abandon(): number[] {
    const left = this.#waiting(() => true);
    for (const position of left) this.#progress[position] = "over";
    return left;
  }

  #waiting(holds: (needed: readonly Progress[]) => boolean): number[] {
    return this.#steps.flatMap(({ needs }, position) => {
      if (this.#progress[position] !== "waiting") return [];
      const states = needs.map((name) => this.#progress[this.#positions.get(name) ?? -1] ?? "over");
      return holds(states) ? [position] : [];
    });
  }
}
