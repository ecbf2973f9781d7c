import { open } from "node:fs/promises";
import type { Plan } from "../plan/plan.ts";
import type { BuildFolder } from "../run/build-folder.ts";

/** A plan is one line among the first of a journal: behind so much it is not looked for. */
const maxJournalBytes = 4 * 1024 * 1024;

/** The plan that a build was carried out by, from its journal; undefined when it came to none, or is from before journals. */
export async function recordedPlan(folder: BuildFolder): Promise<Plan | undefined> {
  const file = await open(folder.journal, "r").catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    let bytes = 0;
    for await (const line of file.readLines({ autoClose: false })) {
      bytes += line.length;
      if (bytes > maxJournalBytes) return undefined;
      const entry = parse(line);
      if (entry?.type === "plan") return entry.plan;
    }
    return undefined;
  } finally {
    await file.close();
  }
}

function parse(line: string): { readonly type: string; readonly plan?: Plan } | undefined {
  try {
    return JSON.parse(line) as { type: string; plan?: Plan };
  } catch {
    // The last line of a build whose machine lost its power.
    return undefined;
  }
}
