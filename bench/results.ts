import { goals, isAtLeast, ours, type Goal } from "./goals.ts";
import type { Sample, Unit } from "./sample.ts";
import { interval, median, type Interval } from "./statistics.ts";

/** A figure over the rounds. */
export interface Estimate {
  readonly median: number;
  readonly interval: Interval | undefined;
  readonly rounds: number;
}

export interface Verdict {
  readonly goal: Goal;
  /** One of ours. */
  readonly peer: string;
  /** Undefined: not measured in this run. */
  readonly estimate: Estimate | undefined;
  /** `interval`: its interval reaches the goal, its median does not. */
  readonly answer: "met" | "interval" | "missed" | undefined;
}

/** All samples of a run, and what follows from them. */
export class Results {
  readonly samples: readonly Sample[];

  constructor(samples: readonly Sample[]) {
    this.samples = samples;
  }

  /** A figure of one peer. */
  figure(row: string, peer: string, unit: Unit): Estimate | undefined {
    return estimate(this.#of(row, peer).map(({ figures }) => figures[unit]));
  }

  /** A figure of one peer as a multiple of another's in the same round. */
  ratio(row: string, peer: string, to: string, unit: Unit): Estimate | undefined {
    const others = this.#of(row, to);
    return estimate(
      this.#of(row, peer).map(({ round, figures }) => {
        const own = figures[unit];
        const other = others.find((sample) => sample.round === round)?.figures[unit];
        return own === undefined || other === undefined ? undefined : own / other;
      }),
    );
  }

  writes(row: string, peer: string): Estimate | undefined {
    return estimate(this.#of(row, peer).map(({ writesPerMessage }) => writesPerMessage));
  }

  p50(row: string, peer: string): Estimate | undefined {
    return estimate(this.#of(row, peer).map(({ p50Ms }) => p50Ms));
  }

  p99(row: string, peer: string): Estimate | undefined {
    return estimate(this.#of(row, peer).map(({ p99Ms }) => p99Ms));
  }

  /** Deliveries and faults of one peer, over all rows and rounds. */
  faults(peer: string): {
    deliveries: number;
    missing: number;
    repeated: number;
    reordered: number;
    damaged: number;
    lost: number;
  } {
    const sum = { deliveries: 0, missing: 0, repeated: 0, reordered: 0, damaged: 0, lost: 0 };
    for (const { deliveries, faults } of this.samples.filter((one) => one.peer === peer)) {
      sum.deliveries += deliveries;
      sum.missing += faults?.missing ?? 0;
      sum.repeated += faults?.repeated ?? 0;
      sum.reordered += faults?.reordered ?? 0;
      sum.damaged += faults?.damaged ?? 0;
      sum.lost += faults?.lost ?? 0;
    }
    return sum;
  }

  /** Each goal in each dialect, met where the interval reaches it; without an interval, where the median does. */
  verdicts(): Verdict[] {
    return goals.flatMap((goal) =>
      [ours.plain, ours.v1].map((peer) => {
        const bound = peer === ours.v1 ? (goal.boundOfV1 ?? goal.bound) : goal.bound;
        return this.#verdict({ ...goal, bound }, peer);
      }),
    );
  }

  #verdict(goal: Goal, peer: string): Verdict {
    const { row, unit, against, bound } = goal;
    const found =
      unit === "writes"
        ? this.writes(row, peer)
        : against === undefined
          ? this.figure(row, peer, unit)
          : this.ratio(row, peer, against, unit);
    if (found === undefined) return { goal, peer, estimate: undefined, answer: undefined };
    const reaches = (value: number): boolean => (isAtLeast(goal) ? value >= bound : value <= bound);
    const best = isAtLeast(goal) ? found.interval?.high : found.interval?.low;
    const answer = reaches(found.median)
      ? "met"
      : best !== undefined && reaches(best)
        ? "interval"
        : "missed";
    return { goal, peer, estimate: found, answer };
  }

  #of(row: string, peer: string): Sample[] {
    return this.samples.filter((sample) => sample.row === row && sample.peer === peer);
  }
}

function estimate(values: readonly (number | undefined)[]): Estimate | undefined {
  const known = values.filter((value) => value !== undefined && Number.isFinite(value)) as number[];
  if (known.length === 0) return undefined;
  return { median: median(known), interval: interval(known), rounds: known.length };
}
