import type { Limits } from "../protocol/limits.ts";
import type { Transport } from "./transport.ts";

/** What silence of a socket calls for. */
export type Pulse = "fine" | "ping" | "timeout" | "stalled";

/**
 * Tells a silent client from a dead one, and a slow socket from a stalled one. Times are
 * whole milliseconds, as of the last sweep: exact enough, and small integers in memory.
 */
export class Heartbeat {
  #readBytes = 0;
  #aliveAt: number;
  #pingedAt = -1;
  #takenBytes = 0;
  #movedAt: number;

  constructor(now: number) {
    this.#aliveAt = now;
    this.#movedAt = now;
  }

  /** As if something had arrived. */
  alive(now: number): void {
    this.#aliveAt = now;
    this.#pingedAt = -1;
  }

  /** `ping`: one is to be sent now. */
  beat(now: number, transport: Transport, limits: Limits): Pulse {
    if (transport.bufferedBytes === 0) this.#movedAt = now;
    else {
      // Nearly all have nothing waiting, and what was taken is asked of the system.
      const taken = transport.takenBytes;
      if (taken !== this.#takenBytes) {
        this.#takenBytes = taken;
        this.#movedAt = now;
      } else if (now - this.#movedAt >= limits.stalledTimeoutMs) return "stalled";
    }
    if (transport.readBytes !== this.#readBytes) {
      this.#readBytes = transport.readBytes;
      this.alive(now);
    }
    if (this.#pingedAt >= 0)
      return now - this.#pingedAt >= limits.pongTimeoutMs ? "timeout" : "fine";
    if (now - this.#aliveAt < limits.pingIntervalMs) return "fine";
    this.#pingedAt = now;
    return "ping";
  }
}
