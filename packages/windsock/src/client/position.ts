import type { JoinInfo, ResumePosition } from "../protocol/v1/index.ts";

interface Follow {
  readonly topic: string;
  /** The last entry of this topic that was handled, or where it began. */
  seq: number;
  /** A backlog ends here: what is above it comes in the channel's order. */
  readonly until: number;
}

/** How far a channel has read: what it drops as known, and where it resumes. */
export class Position {
  #epoch = "";
  #seq = 0;
  #count = 0;
  /** Private messages that come again, because the server goes on from an earlier count. */
  #repeated = 0;
  readonly #logs = new Map<number, Follow>();
  readonly #tails = new Map<string, number>();

  /** Private messages handled. */
  get count(): number {
    return this.#count;
  }

  /** A channel has begun. `isContinued`: it goes on where the one before it was cut. */
  joined(info: JoinInfo, isContinued: boolean): void {
    this.#repeated = isContinued ? Math.max(0, this.#count - info.count) : 0;
    if (!isContinued) this.#tails.clear();
    if (this.#repeated === 0) this.#count = info.count;
    this.#epoch = info.epoch;
    this.#seq = info.seq;
    this.#logs.clear();
    this.follow(info.log, "", info.seq);
  }

  follow(log: number, topic: string, seq: number): void {
    this.#logs.set(log, { topic, seq, until: this.#seq });
  }

  unfollow(log: number): void {
    this.#logs.delete(log);
  }

  /** An entry has come: its topic, if it is for this channel and new. */
  entry(log: number, seq: number): string | undefined {
    const follow = this.#logs.get(log);
    if (follow === undefined || seq <= follow.seq) return undefined;
    follow.seq = seq;
    this.reached(seq);
    return follow.topic;
  }

  /** Everything for this channel up to here has come. */
  reached(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  /** A snapshot stands for everything up to here, of every topic. */
  replaced(seq: number): void {
    this.reached(seq);
    for (const follow of this.#logs.values()) follow.seq = Math.max(follow.seq, seq);
  }

  tail(topic: string, offset: number): void {
    this.#tails.set(topic, offset);
  }

  /** A private message has come. False: it was handled before. */
  private(): boolean {
    if (this.#repeated > 0) {
      this.#repeated -= 1;
      return false;
    }
    this.#count += 1;
    return true;
  }

  resume(token: string): ResumePosition {
    const tails = new Map(this.#tails);
    for (const { topic, seq, until } of this.#logs.values())
      if (seq < until && this.#seq === until) tails.set(topic, seq);
    return {
      token,
      epoch: this.#epoch,
      seq: this.#seq,
      count: this.#count,
      ...(tails.size === 0 ? {} : { tails: Object.fromEntries(tails) }),
    };
  }
}
