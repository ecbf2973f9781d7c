import type { Forge } from "../triggers/delivery.ts";

/** What had a build queued. Plain JSON. */
export type Trigger =
  /** One of the looks at the repository that come from time to time. */
  | { readonly type: "look" }
  /** The system told that branches of a repository on this machine have moved. */
  | { readonly type: "refs" }
  /** A git hook on this machine. */
  | { readonly type: "hook" }
  /** `delivery`: the forge's number of it; null where it gave none. */
  | { readonly type: "webhook"; readonly forge: Forge; readonly delivery: string | null }
  | { readonly type: "cron"; readonly schedule: string }
  /** Somebody asked for it. `by` ends a sentence, as in "by Ann". */
  | { readonly type: "person"; readonly by: string }
  /** Files of a work tree changed. */
  | { readonly type: "files" };

/** Of two that ask for one look, the one that says more: a person wants to know which delivery it was. */
export function tellingOf(before: Trigger | undefined, after: Trigger): Trigger {
  return before === undefined || before.type === "refs" ? after : before;
}
