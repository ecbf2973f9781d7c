import type { Build, BuildState } from "../build/build.ts";

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

/** `0.8 s`, `42 s`, `3 min 5 s`, `1 h 12 min` */
export function duration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago` */
export function ago(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} d ago`;
}

/** How long a build took, or has taken so far. */
export function elapsedMs(build: Build, nowMs: number): number | undefined {
  if (build.durationMs !== null) return build.durationMs;
  return build.startedMs === null ? undefined : Math.max(0, nowMs - build.startedMs);
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

/* oxlint-disable no-control-regex -- control characters are what these look for */
const escapes = /\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[@-Z\\^_])/g;
const controls = /[\u0000-\u0008\u000B-\u001F\u007F]/g;

/** A log's line as it is shown: without colours and cursor movement, and a progress bar in its last state. */
export function visibleLine(line: string): string {
  const plain = line.replace(escapes, "").replace(/\r+$/, "");
  return plain.slice(plain.lastIndexOf("\r") + 1).replace(controls, "�");
}
