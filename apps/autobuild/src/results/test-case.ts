/** How one test ended. */
export type TestState = "passed" | "failed" | "skipped";

/** One test of a report. Plain JSON; every text is bounded, and as hostile as the build that wrote it. */
export interface TestCase {
  /** What groups tests: the suite, class or file. Empty where the report has none. */
  readonly suite: string;
  readonly name: string;
  readonly state: TestState;
  /** Passed, but only after it had failed in the same run. */
  readonly isFlaky: boolean;
  readonly durationMs: number | null;
  /** Why it failed or was skipped, in a line; null where the report does not say. */
  readonly message: string | null;
  /** The rest of the reason: a stack, a difference. */
  readonly details: string | null;
  /** Where the test stands in the sources. */
  readonly file: string | null;
  readonly line: number | null;
}

/** Bounds of what is kept of a report. A longer text is cut, and ends with `…`. */
export const caseBounds = {
  suiteChars: 300,
  nameChars: 500,
  messageChars: 2000,
  detailsChars: 16_000,
} as const;

/** A test with its texts cut to their bounds; an empty text that may be missing is missing. */
export function boundedCase(of: TestCase): TestCase {
  return {
    ...of,
    suite: cut(of.suite, caseBounds.suiteChars),
    name: cut(of.name, caseBounds.nameChars),
    message: cutOrNull(of.message, caseBounds.messageChars),
    details: cutOrNull(of.details, caseBounds.detailsChars),
    file: cutOrNull(of.file, caseBounds.nameChars),
  };
}

function cut(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1).toWellFormed()}…`;
}

function cutOrNull(text: string | null, chars: number): string | null {
  const trimmed = text?.trim() ?? "";
  return trimmed === "" ? null : cut(trimmed, chars);
}
