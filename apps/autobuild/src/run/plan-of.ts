import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Plan } from "../plan/plan.ts";
import type { BuildFolder } from "./build-folder.ts";
import type { JournalEntry } from "./journal.ts";

/** The plan by which a build was made, from its journal; undefined where it came to none. */
export async function planOf(folder: BuildFolder): Promise<Plan | undefined> {
  const lines = createInterface({ input: createReadStream(folder.journal), crlfDelay: Infinity });
  try {
    for await (const line of lines) {
      const entry = JSON.parse(line) as JournalEntry;
      if (entry.type === "plan") return entry.plan;
    }
  } catch {
    // No journal, or one that was cut within its first lines: there was no plan yet.
  } finally {
    lines.close();
  }
  return undefined;
}
