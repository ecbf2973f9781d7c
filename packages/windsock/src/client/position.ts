import type { JoinInfo, ResumePosition } from "../protocol/v1/index.ts";

interface Follow {
  readonly topic: string;
  /** The last entry of this topic that was handled, or where it began. */
  seq: number;
  /** Where the channel stood when it began: what is above comes in the channel's order. Infinite for a log with offsets. */
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
  /** What a `log` has begun. It holds over a cut, until that is said again. */
  readonly #topics = new Map<string, Follow>();

  /** Private messages handled. */
  get count(): number {
    return this.#count;
  }

  /** A channel has begun. `isContinued`: it goes on where the one before it was cut. */
  joined(info: JoinInfo, isContinued: boolean): void {
    this.#repeated = isContinued ? Math.max(0, this.#count - info.count) : 0;
    if (!isContinued) this.#topics.clear();
    this.#count = info.count + this.#repeated;
    this.#epoch = info.epoch;
    this.#seq = info.seq;
    this.#logs.clear();
    this.#logs.set(info.log, { topic: "", seq: info.seq, until: 0 });
  }

  log(log: number, topic: string, seq: number): void {
    const follow = { topic, seq, until: this.#seq };
    this.#topics.set(topic, follow);
    this.#logs.set(log, follow);
  }

  unlog(log: number): void {
    this.#topics.delete(this.#logs.get(log)?.topic ?? "");
    this.#logs.delete(log);
  }

  /** An entry has come: its topic, if it is for this channel and new. */
  pub(log: number, seq: number): string | undefined {
    const follow = this.#logs.get(log);
    if (follow === undefined || seq <= follow.seq) return undefined;
    follow.seq = seq;
    this.at(seq);
    return follow.topic;
  }

  /** Everything for this channel up to here has come. */
  at(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  /** A snapshot stands for everything up to here, of every topic. */
  snapshot(seq: number): void {
    this.at(seq);
    for (const follow of this.#logs.values()) follow.seq = Math.max(follow.seq, seq);
  }

  tail(topic: string, offset: number): void {
    this.#topics.set(topic, { topic, seq: offset, until: Infinity });
  }

  /** A private message has come. False: it was handled before. */
  msg(): boolean {
    if (this.#repeated > 0) {
      this.#repeated -= 1;
      return false;
    }
    this.#count += 1;
    return true;
  }

  resume(token: string): ResumePosition {
    let tails: Record<string, number> | undefined;
    for (const { topic, seq, until } of this.#topics.values()) {
      // Without a prototype: a topic may be called `__proto__`.
      tails ??= { __proto__: null } as unknown as Record<string, number>;
      tails[topic] = until < this.#seq ? this.#seq : seq;
    }
    return { token, epoch: this.#epoch, seq: this.#seq, count: this.#count, tails };
  }
}
