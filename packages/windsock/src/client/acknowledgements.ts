import type { ClientClock, ClientTimer } from "./ports.ts";

/** Private messages are acknowledged after this many, this many bytes or characters, or this long. */
const maxMessages = 256;
const maxLength = 16 * 1024;
const maxMs = 1000;

/** When private messages are acknowledged: soon enough for the server to keep few, and seldom. */
export class Acknowledgements {
  readonly #clock: ClientClock;
  readonly #send: () => void;
  #messages = 0;
  #length = 0;
  #timer: ClientTimer | undefined;

  constructor(clock: ClientClock, send: () => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** One more has been handled. */
  count(length: number): void {
    this.#messages += 1;
    this.#length += length;
    if (this.#messages >= maxMessages || this.#length >= maxLength) this.#now();
    else this.#timer ??= this.#clock.setTimeout(() => this.#now(), maxMs);
  }

  /** There is nothing to acknowledge: the next join says the count itself. */
  reset(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#messages = this.#length = 0;
  }

  #now(): void {
    this.reset();
    this.#send();
  }
}
