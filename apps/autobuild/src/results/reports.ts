import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import type { TakeCase } from "./junit.ts";
import type { TestCase } from "./test-case.ts";
import { findFiles, type WorkspaceFile } from "./workspace-files.ts";

/** What the reports of a step hold. */
export interface ReportedTests {
  /** Those that failed first. */
  readonly tests: readonly TestCase[];
  /** Sentences about what could not be read or was left out. */
  readonly problems: readonly string[];
}

/** Bounds of reading reports. */
export interface ReportBounds {
  /** A larger report is not read. @default 64 MiB */
  readonly maxFileBytes: number;
  /** Tests of one step that are kept; the rest is left out, those that failed last. @default 20,000 */
  readonly maxTests: number;
}

const reportBounds: ReportBounds = { maxFileBytes: 64 * 1024 * 1024, maxTests: 20_000 };

/**
 * Reads the test reports that a step left in its workspace: `.tap` files and what begins like TAP as TAP, all
 * else as JUnit XML.
 *
 * A report that is damaged is a problem in words, and what was read of it before counts. Reading gives way
 * to others every 64 KiB.
 */
export async function readReports(
  workspace: string,
  globs: readonly string[],
  bounds: ReportBounds = reportBounds,
): Promise<ReportedTests> {
  const found = await findFiles(workspace, globs);
  const failed: TestCase[] = [];
  const others: TestCase[] = [];
  const problems: string[] = found.cut === null ? [] : [`Of the reports ${found.cut}.`];
  let count = 0;
  const take: TakeCase = (test) => {
    count += 1;
    const list = test.state === "failed" ? failed : others;
    if (list.length < bounds.maxTests) list.push(test);
    return true;
  };
  for (const file of found.files) {
    try {
      await readReport(file, take, bounds.maxFileBytes);
    } catch (error) {
      problems.push(`The report ${file.name} could not be read: ${messageOf(error)}`);
    }
  }
  if (globs.length > 0 && found.files.length === 0)
    problems.push(`Expected reports at ${globs.join(", ")}, found none.`);
  const tests = [...failed, ...others].slice(0, bounds.maxTests);
  if (count > tests.length)
    problems.push(`Only ${tests.length} of ${count} tests are kept, those that failed first.`);
  return { tests, problems };
}

async function readReport(
  file: WorkspaceFile,
  take: TakeCase,
  maxFileBytes: number,
): Promise<void> {
  const handle = await open(file.path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    // Parsers are there only for those whose steps have reports.
    const [{ JUnitReader }, { TapReader }] = await Promise.all([
      import("./junit.ts"),
      import("./tap.ts"),
    ]);
    const { size } = await handle.stat();
    if (size > maxFileBytes) throw new Error(`expected at most ${maxFileBytes} bytes, got ${size}`);
    const decoder = new TextDecoder();
    let reader: InstanceType<typeof JUnitReader> | InstanceType<typeof TapReader> | undefined;
    // As far as it had come when we looked: what still writes to it cannot keep us here.
    for await (const bytes of handle.createReadStream({
      end: Math.max(0, size - 1),
      autoClose: false,
    })) {
      const text = decoder.decode(bytes as Buffer, { stream: true });
      reader ??= isTap(file.name, text) ? new TapReader(take) : new JUnitReader(take);
      if (!reader.write(text)) break;
    }
    reader?.end();
  } finally {
    await handle.close();
  }
}

function isTap(name: string, start: string): boolean {
  return name.endsWith(".tap") || /^(?:TAP version|1\.\.\d|(?:not )?ok\b)/.test(start);
}
