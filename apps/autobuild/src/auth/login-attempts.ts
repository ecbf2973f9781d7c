import type { Clock } from "../clock.ts";

/** Bounds on failed logins. */
export interface AttemptLimits {
  /** Failures of one address (an IPv6 /64 counts as one) within the window. @default 10 */
  readonly perAddress: number;
  /** Failures for one user name, from wherever. @default 30 */
  readonly perUser: number;
  /** @default 900_000, a quarter of an hour */
  readonly windowMs: number;
  /** Addresses and names that are remembered; beyond, the ones that failed longest ago are forgotten. @default 10_000 */
  readonly maxEntries: number;
}

const attemptDefaults: AttemptLimits = {
  perAddress: 10,
  perUser: 30,
  windowMs: 15 * 60_000,
  maxEntries: 10_000,
};

interface Failures {
  count: number;
  untilMs: number;
}

/**
 * Counts failed logins by address and by user, in a table of bounded size.
 *
 * An address runs out before a name does: whoever guesses from one place does not lock the user out from
 * the others. Whoever has logged in stays so.
 */
export class LoginAttempts {
  readonly #limits: AttemptLimits;
  readonly #clock: Clock;
  /** In the order in which they last failed. */
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock, limits: AttemptLimits = attemptDefaults) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** How long to wait before the next try; 0: none. */
  waitMs(address: string, user: string): number {
    const { perAddress, perUser } = this.#limits;
    return Math.max(
      this.#waitOf(addressKey(address), perAddress),
      this.#waitOf(userKey(user), perUser),
    );
  }

  /** Counts a try before it is made, so that many at once are no way around; `succeeded` takes it back. */
  begin(address: string, user: string): void {
    const now = this.#clock.monotonicMs();
    for (const key of [addressKey(address), userKey(user)]) {
      const before = this.#failures.get(key);
      const isFresh = before === undefined || before.untilMs <= now;
      const next = isFresh
        ? { count: 1, untilMs: now + this.#limits.windowMs }
        : { ...before, count: before.count + 1 };
      this.#failures.delete(key);
      this.#failures.set(key, next);
    }
    for (const key of this.#failures.keys()) {
      if (this.#failures.size <= this.#limits.maxEntries) break;
      this.#failures.delete(key);
    }
  }

  succeeded(address: string, user: string): void {
    for (const key of [addressKey(address), userKey(user)]) {
      const failures = this.#failures.get(key);
      if (failures === undefined) continue;
      if (failures.count <= 1) this.#failures.delete(key);
      else failures.count--;
    }
  }

  get size(): number {
    return this.#failures.size;
  }

  #waitOf(key: string, limit: number): number {
    const failures = this.#failures.get(key);
    if (failures === undefined || failures.count < limit) return 0;
    return Math.max(0, failures.untilMs - this.#clock.monotonicMs());
  }
}

function userKey(user: string): string {
  // Bounded: it is whatever somebody typed.
  return `user ${user.toLowerCase().slice(0, 100)}`;
}

/** Whoever has one address of an IPv6 /64 has all of them. */
function addressKey(address: string): string {
  const plain = address.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  if (!plain.includes(":")) return `address ${plain}`;
  const [head = "", tail] = plain.toLowerCase().split("::");
  const groups = head.split(":").filter((group) => group !== "");
  const after = (tail ?? "").split(":").filter((group) => group !== "");
  while (groups.length + after.length < 8) groups.push("0");
  return `address ${[...groups, ...after].slice(0, 4).join(":")}`;
}
