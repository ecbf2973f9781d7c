import { maskedFrame } from "./client-frame.ts";

/** A client acknowledges at the latest after so many private messages (docs/reference/protocol.md, section 6). */
const ackEvery = 128;

/** What `joined` tells that a client of the bench needs. */
interface Joined {
  readonly log: number;
  readonly seq: number;
  readonly credit: number;
}

/** The client's side of one channel of `windsock.v1`: numbers, credit and acknowledgements, as far as the bench needs them. */
export class Delivery {
  readonly joined: Joined;
  /** The number of the message that was sent last. */
  n = 0;
  #done = 0;
  #credit: number;
  #used = 0;
  #received = 0;
  #acked = 0;
  readonly #waiting: { readonly frames: Buffer; readonly bytes: number }[] = [];
  readonly #write: (frames: Buffer) => void;

  constructor(joined: Joined, write: (frames: Buffer) => void) {
    this.joined = joined;
    this.#credit = joined.credit;
    this.#write = write;
  }

  /** Messages that were sent and not disposed of. */
  get undone(): number {
    return this.n - this.#done;
  }

  /** Sends some messages, or keeps them until there is credit. `bytes`: without the heads of the frames. */
  send(frames: Buffer, count: number, bytes: number): void {
    this.n += count;
    this.#waiting.push({ frames, bytes });
    this.#pump();
  }

  /** Private messages have come. */
  received(count: number): void {
    this.#received += count;
    if (this.#received - this.#acked < ackEvery) return;
    this.#acked = this.#received;
    this.#write(maskedFrame(`["ack",1,${this.#received}]`));
  }

  /** What comes beside messages. False: a client that behaves should not get it. */
  aside(payload: Buffer): boolean {
    const text = payload.toString("latin1");
    const [, kind, value] = /^\["(done|credit)",1,(\d+)\]$/.exec(text) ?? [];
    if (kind === "done") this.#done = Number(value);
    else if (kind === "credit") this.#credit = Number(value);
    else return text.startsWith('["at",1,');
    this.#pump();
    return true;
  }

  #pump(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#used + first.bytes > this.#credit) return;
      this.#used += first.bytes;
      this.#waiting.shift();
      this.#write(first.frames);
    }
  }
}

/** What the server answers to the join; undefined: it was refused. */
export function readJoined(text: string): Joined | undefined {
  if (!text.startsWith('["joined",1,')) return undefined;
  const [, , info] = JSON.parse(text) as [string, number, Joined];
  return info;
}
