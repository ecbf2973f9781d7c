import { Parser, type Result } from "tap-parser";
import type { TakeCase } from "./junit.ts";
import { boundedCase } from "./test-case.ts";

/**
 * Reads the Test Anything Protocol, versions 12 to 14, with its subtests and YAML blocks.
 *
 * A test that is `# TODO` and fails counts as skipped, as the protocol says it is no failure.
 */
export class TapReader {
  readonly #parser: Parser;
  #wantsMore = true;

  constructor(take: TakeCase) {
    this.#parser = follow(new Parser({ name: "" }), [], (result, path) => {
      if (!this.#wantsMore) return;
      const { diag } = result;
      const message = textIn(diag, "message") ?? textIn(diag, "error");
      const reason = reasonOf(result.skip) ?? reasonOf(result.todo);
      const wanted = take(
        boundedCase({
          suite: path.join(" > "),
          name: result.name,
          state: stateOf(result),
          isFlaky: false,
          durationMs: durationOf(result, diag),
          message: message ?? reason,
          details: textIn(diag, "stack") ?? textIn(diag, "diff"),
          file: textIn(diag, "file"),
          line: null,
        }),
      );
      if (!wanted) this.#wantsMore = false;
    });
  }

  /** Takes a part of the report. Returns whether it wants more. */
  write(text: string): boolean {
    if (this.#wantsMore) this.#parser.write(text);
    return this.#wantsMore;
  }

  end(): void {
    this.#parser.end();
  }
}

/** Tells each test of a document and of its subtests, but not the line that sums a subtest up. */
function follow(
  parser: Parser,
  path: readonly string[],
  take: (result: Result, path: readonly string[]) => void,
): Parser {
  parser.on("child", (child: Parser) => follow(child, [...path, child.name], take));
  parser.on("assert", (result: Result) => {
    if (!result.closingTestPoint) take(result, path);
  });
  return parser;
}

function stateOf(result: Result): "passed" | "failed" | "skipped" {
  if (result.skip) return "skipped";
  if (result.ok) return "passed";
  return result.todo ? "skipped" : "failed";
}

function reasonOf(directive: string | boolean): string | null {
  return typeof directive === "string" ? directive : null;
}

function durationOf({ time }: Result, diag: unknown): number | null {
  if (typeof time === "number" && Number.isFinite(time)) return Math.round(time);
  if (typeof diag !== "object" || diag === null || !("duration_ms" in diag)) return null;
  const duration = Number(diag.duration_ms);
  return Number.isFinite(duration) ? Math.round(duration) : null;
}

function textIn(diag: unknown, key: string): string | null {
  if (typeof diag !== "object" || diag === null) return null;
  const value = (diag as Readonly<Record<string, unknown>>)[key];
  return typeof value === "string" ? value : null;
}
