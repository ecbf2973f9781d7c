import { isFlaky, type Build, type BuildState, type Step, type StepState } from "../build/build.ts";
import type { Progress } from "../build/forecast.ts";
import { recentBuilds, type BranchRow } from "../build/overview.ts";

/** What stands for a state: a sign and a word, so that colour is never all there is. */
export const marks: Readonly<Record<BuildState, { readonly sign: string; readonly word: string }>> =
  {
    queued: { sign: "…", word: "queued" },
    running: { sign: "▶", word: "running" },
    passed: { sign: "✓", word: "passed" },
    failed: { sign: "✗", word: "failed" },
    cancelled: { sign: "■", word: "cancelled" },
    lost: { sign: "?", word: "lost" },
  };

export const stepSigns: Readonly<Record<StepState, string>> = {
  waiting: "·",
  running: "▶",
  passed: "✓",
  failed: "✗",
  cancelled: "■",
  skipped: "–",
};

/** `< 0.1 s`, `0.8 s`, `42 s`, `3 min 5 s`, `1 h 12 min` */
export function duration(ms: number): string {
  if (ms < 100) return "< 0.1 s";
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How long something is still going to take: `12 s`, `2 min`. Nobody knows it to the second for long. */
export function roughly(ms: number): string {
  if (ms < 59_500) return `${Math.max(1, Math.round(ms / 1000))} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago` */
export function ago(ms: number): string {
  return ms < 60_000 ? "just now" : `${span(ms)} ago`;
}

/** How long a build took, or has taken so far. Of a lost one nobody knows. */
export function elapsedMs(build: Build, nowMs: number): number | undefined {
  if (build.durationMs !== null) return build.durationMs;
  if (build.state !== "running" || build.startedMs === null) return undefined;
  return Math.max(0, nowMs - build.startedMs);
}

/** As `elapsedMs`, of a step. */
export function stepMs(step: Step, nowMs: number): number | undefined {
  if (step.durationMs !== null) return step.durationMs;
  if (step.state !== "running" || step.startedMs === null) return undefined;
  return Math.max(0, nowMs - step.startedMs);
}

/** What is left of a running build: `about 2 min left`, `longer than usual`. */
export function leftText({ leftMs, isLong }: Progress): string {
  if (isLong) return "longer than usual";
  return leftMs < 1000 ? "about to end" : `about ${roughly(leftMs)} left`;
}

/** What a branch is beyond its last build: `failing for 3 d, 7 in a row`, `was failing`. */
export function standing(
  { verdict, streak, failingSince, recent, build }: BranchRow,
  nowMs: number,
): string {
  if (verdict !== "failed" || failingSince === null) return "";
  const row = streak >= recent.length && streak >= recentBuilds ? `${streak} or more` : `${streak}`;
  const since = `for ${span(nowMs - failingSince.finishedMs)}`;
  if (build.state === "failed") return streak > 1 ? `failing ${since}, ${row} in a row` : "";
  return `was failing ${since}`;
}

/** As `ago`, without the `ago`: `1 min`, `3 h`, `2 d` */
export function span(ms: number): string {
  const minutes = Math.max(1, Math.floor(ms / 60_000));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

/** A build's state in a word or three: `passed`, `passed, flaky`, `failed in test`, `running test`. */
export function stateOf({ state, steps }: Build): string {
  const { word } = marks[state];
  if (state === "passed") return steps.some(isFlaky) ? `${word}, flaky` : word;
  const step = steps.find((one) => one.state === state);
  if (step === undefined) return word;
  if (state === "failed") return `${word} in ${step.name}`;
  return state === "running" ? `${word} ${step.name}` : word;
}

const tickSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800];

/** Where an axis of that length is marked: at round times, at most five. */
export function ticks(wholeMs: number): number[] {
  const step = 1000 * (tickSteps.find((seconds) => wholeMs / (1000 * seconds) <= 4) ?? 86_400);
  const count = Math.floor(wholeMs / step);
  return Array.from({ length: Math.min(5, count + 1) }, (_, index) => index * step);
}

/** Why a build was queued: `a new commit`, `again, after build 3`. */
export function causeText({ cause, causeBuildId }: Build): string {
  switch (cause) {
    case "commit":
      return "a new commit";
    case "manual":
      return "by hand";
    case "cron":
      return "its time table";
    case "rebuild":
      return `again, after build ${causeBuildId}`;
    case "requeue":
      return `again: AutoBuild stopped under build ${causeBuildId}`;
  }
}

const dateAndTime = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** `24 Nov, 14:05:09`, where the reader is. */
export function dateTime(ms: number): string {
  return dateAndTime.format(ms);
}

/** `812 B`, `3.4 KiB`, `120 MiB` */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${power > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}
