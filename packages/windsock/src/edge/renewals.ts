import type { ChannelAdmission } from "./session-host.ts";

/** Whether a new token is good. Without a promise where nobody has to be asked. */
type Decide = (auth: unknown) => ChannelAdmission | Promise<ChannelAdmission>;

/**
 * New tokens for one channel. One is looked at after the other, so that answers come in order.
 * Of those that come meanwhile the newest stands for all: what waits is one token, however many come.
 */
export class Renewals {
  readonly #decide: Decide;
  readonly #answer: (admission: ChannelAdmission) => void;
  #isDeciding = false;
  #waiting = 0;
  #newest: unknown;

  /** `decide` MUST NOT reject. `answer` is called once for each token that came. */
  constructor(decide: Decide, answer: (admission: ChannelAdmission) => void) {
    this.#decide = decide;
    this.#answer = answer;
  }

  take(auth: unknown): void {
    this.#newest = auth;
    this.#waiting += 1;
    if (!this.#isDeciding) this.#next();
  }

  #next(): void {
    const auth = this.#newest;
    const count = this.#waiting;
    this.#newest = undefined;
    this.#waiting = 0;
    this.#isDeciding = true;
    const admission = this.#decide(auth);
    if (admission instanceof Promise) void admission.then((one) => this.#decided(one, count));
    else this.#decided(admission, count);
  }

  #decided(admission: ChannelAdmission, count: number): void {
    this.#isDeciding = false;
    for (let answered = 0; answered < count; answered++) this.#answer(admission);
    if (this.#waiting > 0) this.#next();
  }
}
