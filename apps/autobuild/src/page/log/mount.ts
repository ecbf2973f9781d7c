import type { LineRange } from "./line-link.ts";
import { LogViewer } from "./viewer.ts";

/** Which log to show. */
export interface MountOptions {
  readonly buildId: number;
  /** Of the step, from 0; null: what came before the first step, or all of a build from before steps had logs. */
  readonly position: number | null;
  /** From 1. @default 1 */
  readonly attempt?: number;
  /** Lines to go to, from 1, both included. */
  readonly range?: LineRange;
}

/** A log that is shown. */
export interface MountedLog {
  /** Goes to lines. */
  show(range: LineRange): void;
  destroy(): void;
}

/**
 * Shows a log in an element, which it fills: give it a height.
 *
 * It shows what the log holds by then and what comes, until `destroy`. Links to lines are written into the
 * address as `#<position>:L1-L2`, or `#<position>.<attempt>:L1-L2` where an attempt was named.
 */
export function mountLog(container: HTMLElement, options: MountOptions): MountedLog {
  const { buildId, position, attempt, range } = options;
  const viewer = new LogViewer(container, {
    buildId,
    name: position === null ? "setup" : `${position}.${attempt ?? 1}`,
    place:
      position === null
        ? "setup"
        : attempt === undefined
          ? `${position}`
          : `${position}.${attempt}`,
    range,
  });
  return { show: (lines) => viewer.show(lines), destroy: () => viewer.destroy() };
}
