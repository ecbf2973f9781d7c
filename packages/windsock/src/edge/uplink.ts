import type { CloseReason, EdgeToActor, Outlet, Payload } from "../protocol/port.ts";
import type { Member } from "./member.ts";

/** A call, as the session read it. */
export interface ChannelCall {
  readonly n: number;
  readonly name: string;
  readonly timeoutMs: number;
  readonly wireBytes: number;
  readonly payload: Payload;
}

/** What members say, and what becomes of them, on its way to their actors. */
export class Uplink {
  readonly #outlet: Outlet<EdgeToActor>;

  constructor(outlet: Outlet<EdgeToActor>) {
    this.#outlet = outlet;
  }

  /** A message. `n` is its number in `windsock.v1`, 0 in plain. */
  message(
    { mid, feed: { address } }: Member,
    n: number,
    wireBytes: number,
    payload: Payload,
    fault?: { code: "too_big"; message: string },
  ): void {
    if (fault === undefined) this.#outlet.post({ type: "in", address, mid, n, wireBytes, payload });
    else this.#outlet.post({ type: "in", address, mid, n, wireBytes, payload, fault });
  }

  call({ mid, feed: { address } }: Member, call: ChannelCall): void {
    this.#outlet.post({ type: "call", address, mid, ...call });
  }

  cancel({ mid, feed: { address } }: Member, n: number): void {
    this.#outlet.post({ type: "cancel", address, mid, n });
  }

  acked({ mid, feed: { address } }: Member, count: number): void {
    this.#outlet.post({ type: "acked", address, mid, count });
  }

  reauthorized({ mid, feed: { address } }: Member, user: unknown): void {
    this.#outlet.post({ type: "reauth", address, mid, user });
  }

  /** The log has moved past it, and its speech can say so: a snapshot follows, or a close. */
  behind({ mid, feed: { address } }: Member): void {
    this.#outlet.post({ type: "behind", address, mid });
  }

  /** Its socket broke, and it may come back. */
  down({ mid, feed: { address } }: Member): void {
    this.#outlet.post({ type: "down", address, mid });
  }

  left({ mid, feed: { address } }: Member, reason: CloseReason): void {
    this.#outlet.post({ type: "leave", address, mid, reason });
  }
}
