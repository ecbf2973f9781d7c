import type { JoinInfo } from "../protocol/v1/index.ts";
import type { ClientError } from "./client-error.ts";
import type { Connection } from "./connection.ts";
import type { Link } from "./link.ts";
import type { ClientTimer } from "./ports.ts";
import type { ChannelState } from "./types.ts";

/**
 * How the channel stands with its connection:
 *
 * ```
 *   apart ◄──► joining ──► joined
 *     ▲           │  ▲        │     any ──► over
 *     │   refused ▼  │ due    │ closed: retry, rejoin
 *     └──────── waiting ◄─────┘
 * ```
 */
export type Phase =
  | { readonly type: "apart" }
  | { readonly type: "joining"; readonly link: Link; readonly channel: number }
  | {
      readonly type: "joined";
      readonly link: Link;
      readonly channel: number;
      readonly since: number;
      readonly info: JoinInfo;
    }
  | { readonly type: "waiting"; readonly timer: ClientTimer; readonly until: number }
  | { readonly type: "over"; readonly state: Extract<ChannelState, { type: "closed" }> };

/** What the application is told of a channel. `failures`: of its joins; `isNew`: none was taken yet. */
export function stateOf(
  phase: Phase,
  { state, outlook }: Pick<Connection, "state" | "outlook">,
  now: number,
  failures: number,
  isNew: boolean,
  suspension: ClientError | undefined,
): ChannelState {
  if (phase.type === "over") return phase.state;
  if (phase.type === "joined") {
    const { id, params, version } = phase.info;
    return "until" in state && state.link === phase.link
      ? { type: "draining", id, withinMs: Math.max(0, state.until - now) }
      : { type: "open", id, params, version };
  }
  const next =
    phase.type === "waiting"
      ? { attempt: failures, retryInMs: Math.ceil(phase.until - now) }
      : outlook;
  if (suspension !== undefined) return { type: "suspended", ...next, error: suspension };
  return { type: isNew ? "connecting" : "resuming", ...next };
}
