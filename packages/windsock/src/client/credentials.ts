/** A token that waits for the server's answer. */
interface Offer extends PromiseWithResolvers<void> {
  readonly token: unknown;
}

/** What a channel shows to `authorize`: at each join, and anew while it is open. */
export class Credentials {
  /** A token, or a function that gives one for each join. */
  #auth: unknown;
  #offers: Offer[] = [];

  constructor(auth: unknown) {
    this.#auth = auth;
  }

  /** For a join: the newest there is, at once; or what the function gives or throws, which may take its time. */
  ask(join: (token: unknown) => void, fail: (error: unknown) => void): void {
    const auth = this.#offers.at(-1)?.token ?? this.#auth;
    if (typeof auth !== "function") join(auth);
    else
      void Promise.resolve()
        .then(() => (auth as () => unknown)())
        .then(join, fail);
  }

  /** A new token. Settles with the server's answer. */
  offer(token: unknown): Promise<void> {
    const offer = { ...Promise.withResolvers<void>(), token };
    this.#offers.push(offer);
    return offer.promise;
  }

  /** The server took the oldest offer; it is the token for the joins to come, unless a function gives those. */
  accepted(): void {
    const offer = this.#offers.shift();
    if (!offer) return;
    if (typeof this.#auth !== "function") this.#auth = offer.token;
    offer.resolve();
  }

  refused(error: unknown): void {
    this.#offers.shift()?.reject(error);
  }

  /** A join was taken, and it carried the newest. */
  joined(): void {
    while (this.#offers.length > 0) this.accepted();
  }

  close(error: unknown): void {
    // What ends the channel is told by the channel: these are not reported as unhandled as well.
    for (const { promise } of this.#offers) promise.catch(() => {});
    while (this.#offers.length > 0) this.refused(error);
  }
}
