import type { Context } from "hono";
import type { Autobuild } from "../autobuild.ts";
import type { Build } from "../build/build.ts";
import { hasEnded } from "../build/build.ts";
import type { LogReader } from "../log/log-reader.ts";
import { byteSince } from "../log/log-times.ts";
import { consoleIndexName, consoleLogName } from "../run/build-folder.ts";
import { sendBytes } from "./byte-range.ts";

const chunkBytes = 256 * 1024;

/** Of a log that may grow: no cache has the rest of it. */
export const logHeaders: Readonly<Record<string, string>> = {
  "Content-Type": "text/plain; charset=utf-8",
  "Cache-Control": "private, no-store",
};

/** What of a build's console log is wanted; all of it unless it is said. */
export interface WantedLog {
  /** From this byte on; within a line: from the next one on. */
  readonly from?: number | undefined;
  /** What was printed at that time or later, in ms since 1970. */
  readonly sinceMs?: number | undefined;
}

/**
 * Answers with a build's console log as far as it has come, or with a range of what is wanted of it.
 *
 * `Log-Offset` says at which byte of the log that begins: a client goes on behind what it has.
 */
export async function sendConsoleLog(
  context: Context,
  { folders }: Pick<Autobuild, "folders">,
  build: Build,
  log: LogReader,
  { from = 0, sinceMs }: WantedLog,
): Promise<Response> {
  const bytes = folders.file(build.id, consoleLogName);
  // Of one that retention has removed there is nothing left.
  const end = Math.min(log.length, (await bytes.size()) ?? 0);
  const since = sinceMs === undefined ? 0 : await startSince(folders, build, end, sinceMs);
  const start = Math.min(end, Math.max(await lineStart(log, from), since));
  return sendBytes(context, {
    length: end - start,
    headers: { ...logHeaders, "Log-Offset": String(start) },
    stream: (first, last) => streamOf(bytes, start + first, start + last),
  });
}

/** Bytes at the reader's pace. What has gone meanwhile breaks the answer off: it is shorter than was promised. */
export function streamOf(
  log: { read(from: number, maxBytes: number): Promise<Uint8Array> },
  from: number,
  to: number,
): ReadableStream<Uint8Array> {
  let next = from;
  return new ReadableStream({
    async pull(controller) {
      if (next >= to) return controller.close();
      const bytes = await log.read(next, Math.min(chunkBytes, to - next));
      if (bytes.length === 0) return controller.error(new Error("The log was removed."));
      next += bytes.length;
      controller.enqueue(bytes);
      if (next >= to) controller.close();
    },
  });
}

/** The first line that begins at that byte or behind it. */
async function lineStart(log: LogReader, from: number): Promise<number> {
  if (from <= 0) return 0;
  const { text, next } = await log.read(from, 1);
  return next - Buffer.byteLength(text);
}

async function startSince(
  folders: Autobuild["folders"],
  build: Build,
  end: number,
  sinceMs: number,
): Promise<number> {
  const byte = await byteSince(folders.file(build.id, consoleIndexName), sinceMs);
  if (byte !== null) return byte ?? end;
  // Nobody noted the times: what may be that late comes with what is earlier.
  const isOver = hasEnded(build) && build.finishedMs !== null && build.finishedMs < sinceMs;
  return isOver ? end : 0;
}
