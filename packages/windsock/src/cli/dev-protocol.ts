/** What the server process tells `windsock dev`. */
export type FromDevServer =
  | { readonly type: "listening"; readonly port: number }
  /** `isFinal`: no change of a file can mend it. */
  | { readonly type: "failed"; readonly isFinal: boolean };

/** What `windsock dev` tells the server process. */
export interface ToDevServer {
  readonly type: "stop";
}

/** Who waits for a change to show does not wait long for an old server. */
export const defaultDrainTimeoutMs = 2000;
