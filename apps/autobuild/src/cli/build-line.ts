import { isFlaky, type Build } from "../build/build.ts";
import { formatDuration } from "../duration.ts";
import { firstLine, plainText } from "../plain-text.ts";
import { exitCode } from "./command.ts";

/** Characters of a commit's subject. Whoever writes the whole message on one line does not push all else off the screen. */
const maxSubject = 100;

const marks: Readonly<Record<Build["state"], string>> = {
  queued: "·",
  running: "▸",
  passed: "✓",
  failed: "✗",
  cancelled: "–",
  lost: "?",
};

/** A build in a line for people: `✓ #12 project main 1a2b3c4 passed in 3.4 s  Fix it`. */
export function buildLine(build: Build, nowMs: number = Date.now()): string {
  const { id, repository, branch, sha, state, startedMs, durationMs, reason, steps } = build;
  const time =
    state === "running" && startedMs !== null
      ? ` for ${formatDuration(nowMs - startedMs)}`
      : durationMs === null
        ? ""
        : ` in ${formatDuration(durationMs)}`;
  const flaky = state === "passed" ? steps.filter(isFlaky).map(({ name }) => name) : [];
  const why =
    reason !== null
      ? ` (${firstLine(reason)})`
      : flaky.length > 0
        ? ` (flaky: ${flaky.join(", ")})`
        : "";
  const subject =
    build.subject.length > maxSubject ? `${build.subject.slice(0, maxSubject)}…` : build.subject;
  return plainText(
    `${marks[state]} #${id} ${repository} ${branch} ${sha.slice(0, 7)} ${state}${time}${why}  ${subject}`,
  );
}

/** What a command ends with that waited for this build. */
export function exitCodeOf({ state }: Build): number {
  return state === "passed" ? exitCode.done : exitCode.notPassed;
}
