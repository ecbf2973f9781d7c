import type { Build } from "../build/build.ts";
import { formatDuration } from "../duration.ts";
import { firstLine } from "../plain-text.ts";

/** What the end of a build means for its branch. */
export type Verdict =
  /** Failed, and the branch passed before, or was never built. */
  | "broke"
  /** Passed, and the branch failed before. */
  | "mended"
  | "stillFailing"
  | "stillPassing"
  /** Cancelled or lost: it says nothing about the commit. */
  | "none";

/** Compares a build that has ended with the one before it on its branch that passed or failed. */
export function verdictOf(build: Build, before: Build | undefined): Verdict {
  switch (build.state) {
    case "failed":
      return before?.state === "failed" ? "stillFailing" : "broke";
    case "passed":
      return before?.state === "failed" ? "mended" : "stillPassing";
    default:
      return "none";
  }
}

const words: Readonly<Record<Verdict, string>> = {
  broke: " broke",
  mended: " is mended",
  stillFailing: " still fails",
  stillPassing: "",
  none: "",
};

/** One line for people, such as `windsock main broke: build 12 failed in 3.4 s: step test exited with 1`. */
export function sentenceOf(build: Build, verdict: Verdict): string {
  return `${build.repository} ${build.branch}${words[verdict]}: build ${build.id} ${endOf(build)}`;
}

/** How a build ended, in one line, such as `failed in 3.4 s: step test exited with 1`. */
export function endOf({ state, durationMs, reason }: Build): string {
  const took = durationMs === null ? "" : ` in ${formatDuration(durationMs)}`;
  return `${state}${took}${reason === null ? "" : `: ${firstLine(reason)}`}`;
}
