import { SaxesParser, type SaxesTagPlain } from "saxes";
import { boundedCase, caseBounds, type TestCase, type TestState } from "./test-case.ts";

/** Takes the tests of a report as they are read. Returns whether it wants more. */
export type TakeCase = (test: TestCase) => boolean;

interface OpenCase {
  suite: string;
  name: string;
  state: TestState;
  isFlaky: boolean;
  durationMs: number | null;
  message: string | null;
  details: string;
  file: string | null;
  line: number | null;
}

const maxDepth = 64;

/** What an element within a test says of it. `system-out` and the like say nothing. */
const verdicts: Readonly<Record<string, TestState | "flaky">> = {
  failure: "failed",
  error: "failed",
  rerunFailure: "failed",
  rerunError: "failed",
  skipped: "skipped",
  flakyFailure: "flaky",
  flakyError: "flaky",
};

/**
 * Reads a JUnit XML report, as Surefire, pytest, vitest, Gradle, Go's and Cargo's tools write it.
 *
 * There is no standard, so it takes what they have in common: `testcase` elements at any depth, within
 * `testsuite` elements that name them. Document types are not read, so there are no entities to expand.
 * Throws with line and column where it is not XML.
 */
export class JUnitReader {
  readonly #parser = new SaxesParser();
  readonly #take: TakeCase;
  readonly #suites: string[] = [];
  #depth = 0;
  #case: OpenCase | undefined;
  /** The element whose text is taken, with how deep it lies. */
  #taking: { readonly depth: number; readonly verdict: TestState | "flaky" } | undefined;
  #wantsMore = true;

  constructor(take: TakeCase) {
    this.#take = take;
    this.#parser.on("error", (error) => {
      throw error;
    });
    this.#parser.on("doctype", () => {
      throw new Error("Expected a report without a document type, got one with <!DOCTYPE>.");
    });
    this.#parser.on("opentag", (tag) => this.#open(tag));
    this.#parser.on("closetag", (tag) => this.#close(tag.name));
    this.#parser.on("text", (text) => this.#text(text));
    this.#parser.on("cdata", (text) => this.#text(text));
  }

  /** Takes a part of the report. Returns whether it wants more. */
  write(text: string): boolean {
    if (this.#wantsMore) this.#parser.write(text);
    return this.#wantsMore;
  }

  end(): void {
    if (this.#wantsMore) this.#parser.close();
  }

  #open({ name, attributes }: SaxesTagPlain): void {
    this.#depth += 1;
    if (this.#depth > maxDepth)
      throw new Error(`Expected elements at most ${maxDepth} deep, got a report with deeper ones.`);
    if (name === "testsuite") this.#suites.push(attributes["name"] ?? "");
    if (name === "testcase") {
      this.#case = {
        suite: attributes["classname"] || this.#suites.filter((suite) => suite !== "").at(-1) || "",
        name: attributes["name"] ?? "",
        state: "passed",
        isFlaky: false,
        durationMs: millisecondsOf(attributes["time"]),
        message: null,
        details: "",
        file: attributes["file"] ?? null,
        line: lineOf(attributes["line"]),
      };
      return;
    }
    const verdict = verdicts[name];
    if (this.#case === undefined || verdict === undefined) return;
    this.#taking = { depth: this.#depth, verdict };
    if (verdict === "flaky") this.#case.isFlaky = true;
    else if (this.#case.state !== "failed") this.#case.state = verdict;
    this.#case.message ??= attributes["message"] ?? attributes["type"] ?? null;
  }

  #close(name: string): void {
    if (this.#taking?.depth === this.#depth) this.#taking = undefined;
    this.#depth -= 1;
    if (name === "testsuite") this.#suites.pop();
    if (name !== "testcase" || this.#case === undefined) return;
    const { details, message, isFlaky, state, ...rest } = this.#case;
    this.#case = undefined;
    // Surefire puts what a rerun mended into the test that passed.
    const firstLine = details.trim().split("\n", 1)[0] ?? "";
    const test = boundedCase({
      ...rest,
      state,
      isFlaky: isFlaky && state === "passed",
      message: message ?? firstLine,
      details,
    });
    if (!this.#take(test)) this.#wantsMore = false;
  }

  #text(text: string): void {
    if (this.#taking === undefined || this.#case === undefined) return;
    const room = caseBounds.detailsChars + 1 - this.#case.details.length;
    if (room > 0) this.#case.details += text.slice(0, room);
  }
}

/** `time` is seconds, by some tools with a comma for thousands. */
function millisecondsOf(time: string | undefined): number | null {
  if (time === undefined || !/^[\d,]*\.?\d+(?:[eE][-+]?\d+)?$/.test(time)) return null;
  const seconds = Number(time.replaceAll(",", ""));
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : null;
}

function lineOf(line: string | undefined): number | null {
  return line !== undefined && /^\d{1,9}$/.test(line) ? Number(line) : null;
}
