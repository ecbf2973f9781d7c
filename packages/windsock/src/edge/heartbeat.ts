import type { Limits } from "../protocol/limits.ts";
import type { Transport } from "./transport.ts";

/** Why a socket is to be cut: it was silent after a ping, took no byte, or did not answer a close. */
export type Lifeless = "timeout" | "stalled" | "unanswered";

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
  /** When its closing began; -1 before. */
  #closingAt = -1;

  constructor(now: number) {
    this.#aliveAt = now;
    this.#movedAt = now;
  }

  /** As if something had arrived. */
  alive(now: number): void {
    this.#aliveAt = now;
    this.#pingedAt = -1;
  }

  get isClosing(): boolean {
    return this.#closingAt >= 0;
  }

  /** It is being closed since then: the other side has some time to answer. */
  closes(now: number): void {
    if (this.#closingAt < 0) this.#closingAt = Math.floor(now);
  }

  /** Called about once a second. Pings the silent, and says who is to be cut. `isHeld`: it is not read, so its silence says nothing. */
  beat(now: number, transport: Transport, limits: Limits, isHeld: boolean): Lifeless | undefined {
    if (this.#closingAt >= 0)
      return now - this.#closingAt >= limits.closeTimeoutMs ? "unanswered" : undefined;
    if (isHeld) this.alive(now);
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
      return now - this.#pingedAt >= limits.pongTimeoutMs ? "timeout" : undefined;
    if (now - this.#aliveAt < limits.pingIntervalMs) return undefined;
    this.#pingedAt = now;
    transport.ping();
    return undefined;
  }
}
