import { WindsockError } from "../errors.ts";
import { clientOf, countUnanswered, viewOfMail, type Mail } from "./mail.ts";
import type { Report } from "./report.ts";
import type { ServiceClient } from "./service-client.ts";

/** Says what went wrong with one actor. */
export class Reporter {
  readonly #service: string;
  readonly #address: string;
  readonly #report: (report: Report) => void;

  constructor(service: string, address: string, report: (report: Report) => void) {
    this.#service = service;
    this.#address = address;
    this.#report = report;
  }

  /** The callback that handled this item failed. */
  crash(error: unknown, callback: string, mail: Mail | undefined, restarts: boolean): void {
    const message = mail === undefined ? undefined : viewOfMail(mail);
    this.#crash(error, callback, clientOf(mail), message, restarts);
  }

  /** A callback failed that no item led to, and nothing restarts for it. */
  failure(error: unknown, callback: string, client?: ServiceClient): void {
    this.#crash(error, callback, client, undefined, false);
  }

  /** Joins fail so often that nobody new is let in for a while. */
  doorClosed(failed: number, waitMs: number): void {
    const seconds = Math.round(waitMs / 1000);
    const error = new WindsockError(
      `Expected \`handleJoin\` of ${this.#address} to take its clients, got ${failed} joins that failed one soon after the other. Nobody new is let in for ${seconds} s; its members stay. Refuse in \`authorize\` what a join cannot take.`,
    );
    this.#report({ type: "failure", where: `joining ${this.#address}`, error });
  }

  down(retryAfterMs: number): void {
    this.#report({ type: "down", service: this.#service, address: this.#address, retryAfterMs });
  }

  /** These stood in the mailbox and go nowhere. Who waits for an answer has one; the others are counted here. */
  lost(items: readonly Mail[], reason: string): void {
    const count = countUnanswered(items);
    if (count === 0) return;
    const what = count === 1 ? "1 message of its mailbox" : `${count} messages of its mailbox`;
    this.#report({ type: "undelivered", address: this.#address, what, reason });
  }

  #crash(
    error: unknown,
    callback: string,
    client: ServiceClient | undefined,
    message: string | undefined,
    restarts: boolean,
  ): void {
    this.#report({
      type: "crash",
      service: this.#service,
      address: this.#address,
      callback,
      client: client?.id,
      message,
      error,
      restarts,
    });
  }
}
