import type { Build, Step } from "./build.ts";

/** How long a step usually takes when it passes. */
export interface UsualTime {
  /** Of the last five. */
  readonly medianMs: number;
  /** Nine of ten of the last twenty took less. */
  readonly p90Ms: number;
}

/** What is known of a build before it has run: the usual times of its steps, by name. Plain JSON. */
export type Forecast = Readonly<Record<string, UsualTime>>;

/** How far a build is. */
export interface Progress {
  /** From 0 to `maxFraction`: nothing is done before it is. */
  readonly fraction: number;
  readonly leftMs: number;
  /** A step takes longer than nine of ten times. */
  readonly isLong: boolean;
}

export const maxFraction = 0.97;
const leastSamples = 2;
const medianSamples = 5;
export const p90Samples = 20;

/** Undefined below two samples: one time is an accident. Newest first. */
export function usualTime(durationsMs: readonly number[]): UsualTime | undefined {
  if (durationsMs.length < leastSamples) return undefined;
  const last = durationsMs.slice(0, medianSamples).toSorted((a, b) => a - b);
  const many = durationsMs.slice(0, p90Samples).toSorted((a, b) => a - b);
  const middle = last.length >> 1;
  const upper = last[middle] ?? 0;
  return {
    medianMs: last.length % 2 === 1 ? upper : (upper + (last[middle - 1] ?? 0)) / 2,
    p90Ms: many[Math.ceil(many.length * 0.9) - 1] ?? 0,
  };
}

/**
 * How far a running build is, by the usual times of its steps along their longest chain.
 *
 * Undefined while the steps are not known, and when the time of one that is to come is not.
 */
export function progressOf(build: Build, forecast: Forecast, nowMs: number): Progress | undefined {
  if (build.state !== "running" || build.steps.length === 0) return undefined;
  let isLong = false;
  const whole: number[] = [];
  const left: number[] = [];
  for (const step of build.steps) {
    // A step may be called as something that every object has.
    const usual = Object.hasOwn(forecast, step.name) ? forecast[step.name] : undefined;
    const isOver = step.state !== "waiting" && step.state !== "running";
    if (usual === undefined && !isOver) return undefined;
    const took = step.durationMs ?? 0;
    const runsMs =
      step.state === "running" && step.startedMs !== null ? Math.max(0, nowMs - step.startedMs) : 0;
    if (usual !== undefined && runsMs > usual.p90Ms) isLong = true;
    const medianMs = usual?.medianMs ?? 0;
    whole.push(isOver ? took : Math.max(medianMs, runsMs));
    left.push(isOver ? 0 : Math.max(0, medianMs - runsMs));
  }
  const wholeMs = Math.max(0, ...chainsMs(build.steps, whole));
  const leftMs = Math.max(0, ...chainsMs(build.steps, left));
  const fraction = wholeMs === 0 ? 0 : Math.min(maxFraction, 1 - leftMs / wholeMs);
  return { fraction, leftMs, isLong };
}

/** When a step ran, or is expected to run. */
export interface StepSpan {
  readonly startMs: number;
  readonly endMs: number;
  /** From here on it is expected, and has not been: `endMs` when all of it has. */
  readonly knownMs: number;
}

/** When each step ran or will run, by what it needs and the usual times; undefined where nobody knows. */
export function spansOf(build: Build, forecast: Forecast, nowMs: number): (StepSpan | undefined)[] {
  const spans: (StepSpan | undefined)[] = [];
  for (const [position, step] of build.steps.entries()) {
    const usual = Object.hasOwn(forecast, step.name) ? forecast[step.name] : undefined;
    if (step.startedMs !== null) {
      const startMs = step.startedMs;
      const isRunning = step.state === "running";
      const knownMs = isRunning ? Math.max(startMs, nowMs) : startMs + (step.durationMs ?? 0);
      const endMs = isRunning ? Math.max(knownMs, startMs + (usual?.medianMs ?? 0)) : knownMs;
      spans.push({ startMs, endMs, knownMs });
      continue;
    }
    const before = neededBy(build.steps, position).map((needed) => spans[needed]?.endMs);
    const isUnknown = usual === undefined || before.includes(undefined);
    if (step.state !== "waiting" || build.state !== "running" || isUnknown) {
      spans.push(undefined);
      continue;
    }
    const startMs = Math.max(nowMs, ...before.map((endMs) => endMs ?? 0));
    spans.push({ startMs, endMs: startMs + usual.medianMs, knownMs: startMs });
  }
  return spans;
}

/**
 * The positions of the steps that decided how long a build took: the chain, from its end back,
 * of those that ended last among what the next one needed.
 */
export function criticalPath(steps: readonly Step[], nowMs: number): Set<number> {
  const endOf = (step: Step): number =>
    step.startedMs === null ? -1 : step.startedMs + (step.durationMs ?? nowMs - step.startedMs);
  const path = new Set<number>();
  const latest = (positions: readonly number[]): Step | undefined =>
    positions
      .flatMap((position) => steps[position] ?? [])
      .filter(({ startedMs }) => startedMs !== null)
      .toSorted((a, b) => endOf(b) - endOf(a))[0];
  let step = latest(steps.map((_, position) => position));
  while (step !== undefined && !path.has(step.position)) {
    path.add(step.position);
    step = latest(neededBy(steps, step.position));
  }
  return path;
}

/** For each step the time of the longest chain that ends with it. Steps stand after those that they need. */
function chainsMs(steps: readonly Step[], timesMs: readonly number[]): number[] {
  const chains: number[] = [];
  for (const position of steps.keys()) {
    const before = neededBy(steps, position).map((needed) => chains[needed] ?? 0);
    chains.push(Math.max(0, ...before) + (timesMs[position] ?? 0));
  }
  return chains;
}

/** The positions of what a step needs. Of a build that does not say, each needs the one before. */
export function neededBy(steps: readonly Step[], position: number): number[] {
  const needs = steps[position]?.needs ?? null;
  if (needs === null) return position === 0 ? [] : [position - 1];
  return needs
    .map((name) => steps.findIndex((step) => step.name === name))
    .filter((needed) => needed >= 0 && needed < position);
}
