import { crowdedFailures, stableMs } from "./backoff.ts";
import type { Link, LinkEnd } from "./link.ts";

/**
 * How a connection stands. `failures`: attempts since the last one that was stable, which
 * is what waits are drawn by.
 *
 * ```
 *   idle ──► connecting ──opened──► open ──► draining ──► moving
 *               ▲   │                │           │ ▲      │  │ opened: open, on the new link
 *               │   └──── lost ──────┤           │ └──────┘  │
 *            due│                    ▼           │   the new one is lost
 *               └──────────────── waiting ◄──────┘
 *                        moving, the old one lost: connecting, on the new link
 *   any, without channels ──► idle           any, told not to come back ──► ended
 * ```
 */
export type ConnectionState =
  | { readonly type: "idle" }
  | { readonly type: "connecting"; readonly link: Link; readonly failures: number }
  | { readonly type: "waiting"; readonly failures: number }
  | {
      readonly type: "open";
      readonly link: Link;
      readonly failures: number;
      readonly since: number;
    }
  /** The server stops soon. Its link serves until another is open. */
  | {
      readonly type: "draining";
      readonly link: Link;
      readonly failures: number;
      readonly until: number;
    }
  | {
      readonly type: "moving";
      readonly link: Link;
      readonly next: Link;
      readonly failures: number;
      readonly until: number;
    }
  | { readonly type: "ended"; readonly end: LinkEnd };

export type ConnectionEvent =
  /** From `idle`, `waiting` or `draining`. */
  | { readonly type: "dialled"; readonly link: Link }
  | { readonly type: "opened"; readonly link: Link; readonly now: number }
  | {
      readonly type: "draining";
      readonly link: Link;
      readonly until: number;
      readonly now: number;
    }
  | { readonly type: "lost"; readonly link: Link; readonly end: LinkEnd; readonly now: number };

/** Close codes after which to come back would only repeat the fault. */
const finalCodes: readonly number[] = [1002, 1003, 1007, 1008, 1009, 1010];

/** Those of a server that is crowded, or will be: everybody comes back as well. */
const crowdedCodes: readonly number[] = [1012, 1013];

/** The next state. The same one: the event changes nothing, or comes of a link that is not in use. */
export function transition(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  if (state.type === "ended") return state;
  switch (event.type) {
    case "dialled":
      return state.type === "draining"
        ? { ...state, type: "moving", next: event.link }
        : { type: "connecting", link: event.link, failures: failuresOf(state) };
    case "opened":
      if (event.link !== (state.type === "moving" ? state.next : linkOf(state))) return state;
      return {
        type: "open",
        link: event.link,
        failures: failuresOf(state),
        since: event.now,
      };
    case "draining":
      if (state.type !== "open" || state.link !== event.link) return state;
      return {
        type: "draining",
        link: state.link,
        // One that drains as soon as it is open must not be moved from and to without a wait.
        failures: isStable(state, event.now) ? 0 : state.failures + 1,
        until: event.until,
      };
    case "lost":
      return lost(state, event);
  }
}

function lost(
  state: ConnectionState,
  { link, end, now }: Extract<ConnectionEvent, { type: "lost" }>,
): ConnectionState {
  const isNext = state.type === "moving" && state.next === link;
  if (!isNext && linkOf(state) !== link) return state;
  if (finalCodes.includes(end.code)) return { type: "ended", end };
  const failures = failuresOf(state);
  if (state.type === "moving") {
    return isNext
      ? { type: "draining", link: state.link, failures: failures + 1, until: state.until }
      : { type: "connecting", link: state.next, failures };
  }
  const floor = crowdedCodes.includes(end.code) ? crowdedFailures : 0;
  return { type: "waiting", failures: Math.max(isStable(state, now) ? 0 : failures, floor) + 1 };
}

function isStable(state: ConnectionState, now: number): boolean {
  return state.type === "open" && now - state.since >= stableMs;
}

/** The link that serves, or is to. */
export function linkOf(state: ConnectionState): Link | undefined {
  return "link" in state ? state.link : undefined;
}

export function failuresOf(state: ConnectionState): number {
  return "failures" in state ? state.failures : 0;
}
