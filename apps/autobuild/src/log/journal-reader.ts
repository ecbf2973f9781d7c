import type { JournalEntry } from "../run/journal.ts";
import { LineReader } from "../run/line-reader.ts";
import { PlainFile } from "./log-bytes.ts";

const readBytes = 256 * 1024;
/** A plan is one line, and the longest. */
const maxLineBytes = 64 * 1024 * 1024;

/**
 * Reads a journal on from where it was: each line once, however often it is asked, and one that is there by half
 * when it is whole.
 */
export class JournalReader {
  readonly #file: PlainFile;
  /** Behind the last line that was read. One that is there by half is read anew: a full disk may have cut it off. */
  #offset = 0;

  constructor(file: string) {
    this.#file = new PlainFile(file);
  }

  /** What is new; nothing where there is no journal. One call at a time. */
  async readOn(): Promise<JournalEntry[]> {
    const entries: JournalEntry[] = [];
    const lines = new LineReader(maxLineBytes);
    const size = (await this.#file.size()) ?? 0;
    let offset = this.#offset;
    while (offset < size) {
      const bytes = await this.#file.read(offset, Math.min(readBytes, size - offset));
      if (bytes.length === 0) break;
      offset += bytes.length;
      for (const line of lines.push(bytes)) {
        const entry = entryOf(line);
        if (entry !== undefined) entries.push(entry);
      }
    }
    this.#offset = offset - lines.restBytes;
    return entries;
  }
}

/** Undefined for what a power failure made of a line. */
function entryOf(line: string): JournalEntry | undefined {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    return undefined;
  }
}
