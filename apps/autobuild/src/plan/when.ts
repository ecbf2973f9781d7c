import { events, type When } from "./config-schema.ts";
import { matchesGlobs } from "./glob.ts";

/** What led to a build. */
export type BuildEvent = (typeof events)[number];

export const eventNames: readonly BuildEvent[] = events;

export function isBuildEvent(text: string): text is BuildEvent {
  return (events as readonly string[]).includes(text);
}

/** What is known about a build when its plan is made. */
export interface BuildContext {
  readonly event: BuildEvent;
  /** Undefined for a tag or a commit on no branch. */
  readonly branch?: string | undefined;
  readonly tag?: string | undefined;
  /** The files that changed, with `/` between folders; undefined when it is not known which. */
  readonly changedPaths?: readonly string[] | undefined;
}

/** Whether all that a condition names fits a build. What is not known about changed files counts as fitting. */
export function fitsWhen(when: When | undefined, context: BuildContext): boolean {
  if (when === undefined) return true;
  const { branch, tag, path, event } = when;
  const { changedPaths } = context;
  // Who names both wants both kinds, not a commit that is on a branch and a tag at once.
  const fitsRef =
    (branch === undefined && tag === undefined) ||
    (branch !== undefined &&
      context.branch !== undefined &&
      matchesGlobs(asList(branch), context.branch)) ||
    (tag !== undefined && context.tag !== undefined && matchesGlobs(asList(tag), context.tag));
  return (
    fitsRef &&
    (event === undefined || asList(event).includes(context.event)) &&
    (path === undefined ||
      changedPaths === undefined ||
      changedPaths.some((changed) => matchesGlobs(asList(path), changed)))
  );
}

/** What stood alone or in an array, as an array. */
export function asList<Item>(value: Item | readonly Item[]): readonly Item[] {
  return Array.isArray(value) ? (value as readonly Item[]) : [value as Item];
}
