import type { ServiceClient } from "./service-client.ts";

/**
 * The memberships of a process whose sockets broke, over all services. Sockets are bounded,
 * and so must be what they leave behind: somebody who connects, joins and is cut, again and
 * again, leaves one each time.
 *
 * At the bound those end that have been away for longest; coming back is a new join.
 */
export class DroppedClients {
  readonly #max: number;
  /** How to end each; who was dropped first stands first. */
  readonly #ends = new Map<ServiceClient, () => void>();

  constructor(max: number) {
    this.#max = max;
  }

  add(client: ServiceClient, end: () => void): void {
    this.#ends.set(client, end);
    if (this.#ends.size <= this.#max) return;
    for (const [longest, endLongest] of this.#ends) {
      this.#ends.delete(longest);
      endLongest();
      return;
    }
  }

  delete(client: ServiceClient): void {
    this.#ends.delete(client);
  }
}
