/** Where a subscription began. */
export interface Beginning {
  /** It is to get what comes behind this: a `seq`, or an offset of the app's log; undefined: where that ended then is not known yet. */
  readonly start: number | undefined;
  /** The head of the actor's log then. */
  readonly at: number;
  /** It is a log of the app's. Kept here: after a start the app may not have said so again yet. */
  readonly isAppLog: boolean;
}

export interface Followed extends Beginning {
  readonly topic: string;
}

/** The log of the service itself, which every client follows from its join. */
const ownLog = "";

/**
 * The topics of one client, three times: as the running turn wants them, as they were
 * committed, and as its edge has them. They differ while a turn runs, and while the
 * joins are replayed after a crash: what a join does not renew ends, what it renews
 * keeps its place.
 */
export class Subscriptions {
  #wanted = new Set([ownLog]);
  #committed = new Set([ownLog]);
  readonly #atEdge = new Set([ownLog]);
  /** Of what was subscribed to. What a replay renews keeps where it began first, as it keeps its place. */
  readonly #beginnings = new Map<string, Beginning>();
  #isReplayed = false;

  /** Topics that the running turn has left it with, without the service's own log. */
  get count(): number {
    return this.#wanted.size - (this.#wanted.has(ownLog) ? 1 : 0);
  }

  /** After a start: what was stored of them. */
  restore(followed: readonly Followed[], leavesOwnLog: boolean): void {
    const topics = followed.map(({ topic }) => topic);
    this.#committed = new Set(leavesOwnLog ? topics : [ownLog, ...topics]);
    this.#wanted = new Set(this.#committed);
    for (const { topic, ...beginning } of followed) this.#beginnings.set(topic, beginning);
  }

  /** What was committed: topics, and the service's own log if it was subscribed to. */
  get followed(): readonly Followed[] {
    return [...this.#committed].flatMap((topic) => {
      const beginning = this.#beginnings.get(topic);
      return beginning === undefined ? [] : [{ topic, ...beginning }];
    });
  }

  /** The service's own log was given up. */
  get leavesOwnLog(): boolean {
    return !this.#committed.has(ownLog);
  }

  has(topic: string): boolean {
    return this.#wanted.has(topic);
  }

  want(topic: string): void {
    this.#wanted.add(topic);
  }

  unwant(topic: string): void {
    this.#wanted.delete(topic);
  }

  /** The turn that wanted something failed. */
  revert(): void {
    this.#wanted = new Set(this.#committed);
  }

  /** Where the app's log ended when it began. False: it is over, or that is known. */
  place(topic: string, start: number): boolean {
    const beginning = this.#beginnings.get(topic);
    if (beginning === undefined || beginning.start !== undefined) return false;
    this.#beginnings.set(topic, { ...beginning, start });
    return true;
  }

  /** False: the edge has it already, and must not begin anew. */
  subscribe(topic: string, beginning: Beginning): boolean {
    this.#committed.add(topic);
    if (!this.#beginnings.has(topic)) this.#beginnings.set(topic, beginning);
    const isKept = this.#isReplayed && this.#atEdge.has(topic);
    this.#atEdge.add(topic);
    return !isKept;
  }

  unsubscribe(topic: string): void {
    this.#committed.delete(topic);
    this.#atEdge.delete(topic);
    this.#beginnings.delete(topic);
  }

  /** The client is about to join again. True: the edge has to follow the service's own log again. */
  beginReplay(): boolean {
    this.#isReplayed = true;
    this.#wanted = new Set([ownLog]);
    this.#committed = new Set([ownLog]);
    const isMissing = !this.#atEdge.has(ownLog);
    this.#atEdge.add(ownLog);
    return isMissing;
  }

  /** The join is over: the topics that it has not renewed. */
  endReplay(): string[] {
    this.#isReplayed = false;
    const ended = [...this.#atEdge].filter((topic) => !this.#committed.has(topic));
    for (const topic of ended) this.#atEdge.delete(topic);
    for (const topic of this.#beginnings.keys())
      if (!this.#committed.has(topic)) this.#beginnings.delete(topic);
    return ended;
  }
}
