import type { Build, BuildState, Step, StepState } from "../build/build.ts";

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
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} d ago`;
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

/** How long a build of this branch usually takes: the median of the last five that passed; undefined below two. */
export function usualMs(build: Build, builds: readonly Build[]): number | undefined {
  const passed = builds
    .filter(
      (one) =>
        one.state === "passed" &&
        one.repositoryId === build.repositoryId &&
        one.branch === build.branch,
    )
    .slice(0, 5)
    .flatMap((one) => (one.durationMs === null ? [] : [one.durationMs]))
    .sort((a, b) => a - b);
  return passed.length < 2 ? undefined : passed[Math.floor(passed.length / 2)];
}

/** A build's state in a word or three: `passed`, `failed in test`, `running test`. */
export function stateOf({ state, steps }: Build): string {
  const { word } = marks[state];
  const step = steps.find((one) => one.state === state);
  if (step === undefined) return word;
  if (state === "failed") return `${word} in ${step.name}`;
  return state === "running" ? `${word} ${step.name}` : word;
}
