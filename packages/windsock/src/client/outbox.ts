import {
  byteLengthOf,
  wrapBytes,
  wrapText,
  type Head,
  type WireMessage,
} from "../protocol/v1/index.ts";
import { ClientError } from "./client-error.ts";
import type { Link } from "./link.ts";
import { outgoingOf, type Outgoing } from "./outgoing.ts";
import type { ClientClock } from "./ports.ts";

/** What may wait at the client: sent and not done, or not sent yet. */
export interface OutboxLimits {
  /** Beyond: `send` and `call` reject with `WINDSOCK_QUEUE_FULL`. @default 262144 */
  readonly maxQueueBytes: number;
  /** As above. @default 1000 */
  readonly maxQueueMessages: number;
}

/** A channel that is joined, as the outbox needs it. */
interface Line {
  readonly link: Pick<Link, "write" | "send">;
  readonly channel: number;
}

/**
 * What a membership has sent and the server has not disposed of, followed by what waits
 * for a connection or for credit. One list, in the order of the calls:
 *
 * ```
 *   [ 4 5 6 | 7 8 | - - - ]      numbers; `-` has none yet
 *         │     └ sent on this channel up to here
 *         └ not to be sent again: `info.done`
 * ```
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #path: string;
  readonly #clock: ClientClock;
  #waiting: Outgoing[] = [];
  /** Calls with a number that have no answer: `done` does not settle them. */
  readonly #calls = new Map<number, Outgoing>();
  #bytes = 0;
  /** Where in `#waiting` the next to be sent on this channel stands. */
  #next = 0;
  #lastN = 0;
  #line: Line | undefined;
  #sentBytes = 0;
  #credit = 0;
  #maxBytes = 0;

  constructor(path: string, limits: OutboxLimits, clock: ClientClock) {
    this.#path = path;
    this.#limits = limits;
    this.#clock = clock;
  }

  /**
   * Takes one more. Settles at once when there is no room.
   *
   * @throws ClientError when it cannot be encoded
   */
  post(
    value: unknown,
    retry: boolean,
    call: Outgoing["call"],
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const outgoing = outgoingOf(this.#path, this.#clock, value, retry, call, signal, (one) =>
      this.#giveUp(one),
    );
    if (
      this.#waiting.length >= this.#limits.maxQueueMessages ||
      this.#bytes + outgoing.bytes > this.#limits.maxQueueBytes
    )
      outgoing.settle(
        new ClientError("WINDSOCK_QUEUE_FULL", {
          bytes: outgoing.bytes,
          messages: this.#waiting.length,
          waitingBytes: this.#bytes,
        }),
      );
    else {
      this.#waiting.push(outgoing);
      this.#bytes += outgoing.bytes;
      this.pump();
    }
    return outgoing.promise;
  }

  /** The answer is no longer wanted. What has a number keeps its place, since numbers have no gaps. */
  #giveUp(outgoing: Outgoing): void {
    if (outgoing.n === 0) this.#removeAt(this.#waiting.indexOf(outgoing));
    else if (this.#calls.delete(outgoing.n)) this.#cancel(outgoing);
  }

  // ---------- the channel ----------

  /** Sends again what is above `done`, then what waits. */
  joined(
    line: Line,
    info: { readonly done: number; readonly credit: number; readonly maxBytes: number },
  ): void {
    this.#line = line;
    this.#sentBytes = 0;
    this.#credit = info.credit;
    this.#maxBytes = info.maxBytes;
    this.#next = this.#waiting.findIndex(({ n }) => n === 0 || n > info.done);
    if (this.#next < 0) this.#next = this.#waiting.length;
    this.pump();
  }

  /** Nothing can be sent until the next `joined`. */
  parted(): void {
    this.#line = undefined;
  }

  /** The membership is gone: numbers begin anew, and what was sent is unknown or goes out again. */
  forget(): void {
    const kept = this.#waiting.filter(
      ({ n, isSettled, retry }) => n === 0 || (retry && !isSettled),
    );
    const sent = [...this.#waiting, ...this.#calls.values()];
    this.#waiting = kept;
    this.#calls.clear();
    this.#bytes = this.#lastN = this.#next = 0;
    for (const outgoing of sent) {
      if (kept.includes(outgoing)) this.#bytes += outgoing.bytes;
      else outgoing.settle(new ClientError("WINDSOCK_UNKNOWN", { path: this.#path }));
      outgoing.n = 0;
    }
  }

  /** The channel is closed for good. */
  close(error: ClientError): void {
    this.parted();
    // What ends the channel is told by the channel: these are not reported as unhandled as well.
    for (const { promise } of [...this.#waiting, ...this.#calls.values()]) promise.catch(() => {});
    this.forget();
    for (const outgoing of this.#waiting.splice(0)) outgoing.settle(error);
    this.#bytes = 0;
  }

  // ---------- the server's answers ----------

  credit(bytes: number): void {
    this.#credit = Math.max(this.#credit, bytes);
    this.pump();
  }

  /** Everything up to `n` is disposed of. What was not refused before was taken. */
  done(n: number): void {
    for (;;) {
      const [first] = this.#waiting;
      if (!first || first.n === 0 || first.n > n) return;
      this.#removeAt(0);
      if (!first.call) first.settle(undefined);
    }
  }

  /** The answer to call `n`. */
  replied(n: number, value: unknown): void {
    this.#calls.get(n)?.settle(undefined, value);
    this.#calls.delete(n);
  }

  /** Message or call `n` was not done. */
  refused(n: number, error: ClientError): void {
    const outgoing = this.#calls.get(n) ?? this.#waiting.find((waiting) => waiting.n === n);
    this.#calls.delete(n);
    outgoing?.settle(error);
  }

  // ---------- sending ----------

  /** Sends what credit allows, in order. */
  pump(): void {
    for (;;) {
      const outgoing = this.#waiting[this.#next];
      if (!this.#line || !outgoing) return;
      const n = outgoing.n || this.#lastN + 1;
      const message = encode(outgoing, this.#line.channel, n, this.#clock.now());
      const bytes = byteLengthOf(message);
      if (bytes > this.#maxBytes && outgoing.n === 0) {
        this.#removeAt(this.#next);
        outgoing.settle(new ClientError("WINDSOCK_TOO_BIG", { bytes, maxBytes: this.#maxBytes }));
        continue;
      }
      if (this.#sentBytes + bytes > this.#credit) return;
      this.#sentBytes += bytes;
      this.#next += 1;
      if (outgoing.n === 0) {
        outgoing.n = this.#lastN = n;
        if (outgoing.call) this.#calls.set(n, outgoing);
      }
      this.#line.link.write(message);
      if (outgoing.isSettled && outgoing.call) this.#cancel(outgoing);
    }
  }

  #cancel({ n }: Outgoing): void {
    // Unless it has yet to be sent on this channel: then the cancel follows it.
    const index = this.#waiting.findIndex((outgoing) => outgoing.n === n);
    if (index >= this.#next) return;
    this.#line?.link.send("cancel", this.#line.channel, n);
  }

  #removeAt(index: number): void {
    const [removed] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (!removed) return;
    this.#bytes -= removed.bytes;
    if (index < this.#next) this.#next -= 1;
  }
}

function encode({ payload, call }: Outgoing, channel: number, n: number, now: number): WireMessage {
  const head: Head =
    call === undefined
      ? ["send", channel, n]
      : ["call", channel, n, call.name, Math.max(1, Math.ceil(call.deadline - now))];
  return typeof payload === "string" ? wrapText(head, payload) : wrapBytes(head, payload);
}
