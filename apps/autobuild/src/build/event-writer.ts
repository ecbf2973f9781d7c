import type { JournalEntry } from "../run/journal.ts";
import { sayEnd, stateOf } from "../run/runner.ts";
import type { Store } from "../store/store.ts";
import type { Build } from "./build.ts";

/**
 * Writes what happened in a build into the store.
 *
 * Writing an entry again changes nothing that later entries have said, so that a journal can be replayed
 * from its beginning. Returns the build as it is now; undefined for what the store does not keep.
 */
export function writeEvent(store: Store, buildId: number, entry: JournalEntry): Build | undefined {
  switch (entry.type) {
    case "plan":
      return store.insertSteps(buildId, entry.plan.steps);
    case "stepStarted":
      return store.startStep(buildId, entry.position, entry.t);
    case "attemptStarted":
      store.attempts.start(buildId, entry.position, entry.attempt, entry.t);
      return store.build(buildId);
    case "attemptEnded":
      store.attempts.end(buildId, entry.position, entry.attempt, {
        state: stateOf(entry.end),
        reason: entry.end.type === "passed" ? null : sayEnd(entry.end),
        durationMs: Math.round(entry.durationMs),
        logBytes: entry.length,
        sha256: entry.sha256,
      });
      return store.build(buildId);
    case "stepEnded":
      return store.endStep(buildId, entry.position, {
        state: entry.state,
        reason: entry.reason,
        durationMs: Math.round(entry.durationMs),
      });
    case "machine":
    case "tools":
    case "setupEnded":
    case "ended":
      return undefined;
  }
}
