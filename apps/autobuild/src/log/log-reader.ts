import type { LogBytes } from "./log-bytes.ts";

/** Whole lines from a log, and the offset at which to read on. */
export interface LogSlice {
  readonly text: string;
  readonly next: number;
}

/**
 * A log as readers see it: whole lines at byte offsets, only ever longer.
 *
 * `read` returns as many whole lines as fit into `maxBytes`, and at least one if there is any. An offset
 * within a line counts as the start of the line after it; one past the end as the end. At the end the
 * text is empty, and `next` is where the next line will begin.
 */
export interface LogReader {
  readonly length: number;
  read(from: number, maxBytes: number): Promise<LogSlice>;
}

const newline = 0x0a;

/** The log of a build that has ended: a file of known length. */
export class LogFile implements LogReader {
  readonly length: number;
  readonly #file: LogBytes;
  readonly #maxLineBytes: number;

  constructor(file: LogBytes, length: number, maxLineBytes: number) {
    this.#file = file;
    this.length = length;
    this.#maxLineBytes = maxLineBytes;
  }

  read(from: number, maxBytes: number): Promise<LogSlice> {
    return readLogFile(this.#file, this.length, from, maxBytes, this.#maxLineBytes);
  }
}

/** Reads whole lines of a log file up to `length`. A file that is gone, or too short, reads as ended early. */
export async function readLogFile(
  file: LogBytes,
  length: number,
  from: number,
  maxBytes: number,
  maxLineBytes: number,
): Promise<LogSlice> {
  const start = clamp(from, length);
  if (start === length) return { text: "", next: length };
  // One byte before shows whether `start` begins a line; one line more makes up for one that it cuts.
  const readFrom = Math.max(0, start - 1);
  const wanted = Math.min(
    length - readFrom,
    Math.max(maxBytes, maxLineBytes + 1) + maxLineBytes + 2,
  );
  const bytes = await file.read(readFrom, wanted);
  // Pruned by somebody, or cut by a power failure: readers go on with what comes after.
  if (bytes.length <= start - readFrom) return { text: "", next: length };
  return wholeLines(bytes, readFrom, start, maxBytes);
}

/** Takes whole lines from bytes that begin at `bytesFrom` and were read for `from`, one byte early unless `from` is 0. */
function wholeLines(bytes: Buffer, bytesFrom: number, from: number, maxBytes: number): LogSlice {
  let begin = from - bytesFrom;
  if (begin > 0 && bytes[begin - 1] !== newline) begin = nextLine(bytes, begin);
  let end =
    bytes.lastIndexOf(newline, Math.min(begin + Math.max(1, maxBytes), bytes.length) - 1) + 1;
  if (end <= begin) end = nextLine(bytes, begin);
  return { text: bytes.toString("utf8", begin, end), next: bytesFrom + end };
}

/** An offset brought into a log's range. */
export function clamp(from: number, length: number): number {
  return Math.min(Math.max(0, Math.trunc(from) || 0), length);
}

function nextLine(bytes: Buffer, offset: number): number {
  const end = bytes.indexOf(newline, offset);
  return end === -1 ? bytes.length : end + 1;
}
