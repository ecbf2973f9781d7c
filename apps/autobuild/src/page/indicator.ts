import type { ChannelState } from "windsock/client";

/** What a page says about its connection. */
export interface Indicator {
  /** `live`: what is shown is so. `waiting`: it may change yet. `lost`: it is how things were. */
  readonly state: "live" | "waiting" | "lost";
  readonly text: string;
}

/** What `state`, reached at `sinceMs`, means to a reader. `isRestart`: the server had said that it stops. */
export function indicatorOf(
  state: ChannelState,
  {
    sinceMs,
    lostMs,
    isRestart,
    nowMs,
  }: {
    readonly sinceMs: number;
    /** When there was a connection last; undefined: never. */
    readonly lostMs: number | undefined;
    readonly isRestart: boolean;
    readonly nowMs: number;
  },
): Indicator {
  const retry = (retryInMs: number): string => {
    const leftMs = retryInMs - (nowMs - sinceMs);
    return leftMs < 500 ? "trying" : `trying in ${Math.ceil(leftMs / 1000)} s`;
  };
  switch (state.type) {
    case "open":
      return { state: "live", text: "live" };
    case "draining":
      return { state: "live", text: "live, the server is about to restart" };
    case "connecting":
      return state.attempt === 0 && state.retryInMs === 0
        ? { state: "waiting", text: "connecting" }
        : { state: "lost", text: `no answer, ${retry(state.retryInMs)}` };
    case "resuming":
      return {
        state: "lost",
        text: `${isRestart ? "server restarts" : "reconnecting"}, ${retry(state.retryInMs)}`,
      };
    case "suspended": {
      const since = lostMs === undefined ? "" : ` since ${timeOfDay(lostMs)}`;
      return { state: "lost", text: `server gone${since}, ${retry(state.retryInMs)}` };
    }
    case "closed":
      return { state: "lost", text: `ended: ${state.error?.message ?? state.reason}` };
  }
}

/** `14:05:09` */
export function timeOfDay(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB");
}
