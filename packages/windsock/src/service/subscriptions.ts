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
  #isReplayed = false;

  /** Topics that the running turn has left it with, without the service's own log. */
  get count(): number {
    return this.#wanted.size - (this.#wanted.has(ownLog) ? 1 : 0);
  }

  /** After a start: what was stored of them. */
  restore(topics: readonly string[], leavesOwnLog: boolean): void {
    this.#committed = new Set(leavesOwnLog ? topics : [ownLog, ...topics]);
    this.#wanted = new Set(this.#committed);
  }

  /** What was committed, without the service's own log. */
  get topics(): readonly string[] {
    return [...this.#committed].filter((topic) => topic !== ownLog);
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

  /** False: the edge has it already, and must not begin anew. */
  subscribe(topic: string): boolean {
    this.#committed.add(topic);
    const isKept = this.#isReplayed && this.#atEdge.has(topic);
    this.#atEdge.add(topic);
    return !isKept;
  }

  unsubscribe(topic: string): void {
    this.#committed.delete(topic);
    this.#atEdge.delete(topic);
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
    return ended;
  }
}
