import { open } from "node:fs/promises";
import type { Plan } from "../plan/plan.ts";
import type { BuildFolder } from "../run/build-folder.ts";
import type { JournalEntry } from "../run/journal.ts";
import type { Machine } from "../run/machine.ts";

/** What is looked for is one line each of a journal: behind so much it is not. */
const maxJournalBytes = 4 * 1024 * 1024;

/** What a build's journal says once. A build that came to no plan, and one from before journals, has none. */
export interface RecordedEntries {
  readonly plan?: Plan;
  readonly machine?: Machine;
  readonly tools?: Readonly<Record<string, string>>;
}

/** The plan that a build was carried out by, from its journal; undefined when it came to none. */
export async function recordedPlan(folder: BuildFolder): Promise<Plan | undefined> {
  return (await readJournal(folder, ({ plan }) => plan !== undefined)).plan;
}

/** All that its journal says once. */
export function recordedEntries(folder: BuildFolder): Promise<RecordedEntries> {
  return readJournal(folder, ({ plan, machine, tools }) =>
    [plan, machine, tools].every((entry) => entry !== undefined),
  );
}

async function readJournal(
  folder: BuildFolder,
  isEnough: (found: RecordedEntries) => boolean,
): Promise<RecordedEntries> {
  let found: RecordedEntries = {};
  const file = await open(folder.journal, "r").catch(() => undefined);
  if (file === undefined) return found;
  try {
    let bytes = 0;
    for await (const line of file.readLines({ autoClose: false })) {
      bytes += line.length;
      if (bytes > maxJournalBytes) break;
      const entry = parse(line);
      if (entry?.type === "plan") found = { ...found, plan: entry.plan };
      else if (entry?.type === "machine") found = { ...found, machine: entry.machine };
      else if (entry?.type === "tools") found = { ...found, tools: entry.versions };
      else continue;
      if (isEnough(found)) break;
    }
    return found;
  } finally {
    await file.close();
  }
}

function parse(line: string): JournalEntry | undefined {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    // The last line of a build whose machine lost its power.
    return undefined;
  }
}
