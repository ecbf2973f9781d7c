import type {
  HistoryStore,
  StoredActor,
  StoredCommit,
  StoredEntry,
  StoredMember,
  StoredPrivate,
} from "./history-store.ts";

interface Kept {
  epoch: string;
  seq: number;
  entries: StoredEntry[];
  evicted: Map<string, number>;
  members: Map<string, StoredMember>;
  privates: Map<string, StoredPrivate[]>;
  state: Uint8Array | undefined;
  forgetAtMs: number | undefined;
}

/** A history in the memory of this process: for tests, and to survive a restart of a server within one process. */
export class MemoryHistory implements HistoryStore {
  readonly #kept = new Map<string, Kept>();

  load(address: string): StoredActor | undefined {
    const kept = this.#kept.get(address);
    if (kept === undefined) return undefined;
    const members = [...kept.members.values()].sort((a, b) => a.order - b.order);
    return {
      epoch: kept.epoch,
      seq: kept.seq,
      entries: [...kept.entries],
      evicted: new Map(kept.evicted),
      members,
      privates: members.flatMap(({ id }) => kept.privates.get(id) ?? []),
      state: kept.state,
    };
  }

  addressesWithMembers(): readonly string[] {
    return [...this.#kept].filter(([, kept]) => kept.members.size > 0).map(([address]) => address);
  }

  write(commits: readonly StoredCommit[]): void {
    for (const commit of commits) this.#apply(commit);
  }

  retire(address: string, forgetAtMs: number): void {
    const kept = this.#kept.get(address);
    if (kept !== undefined) kept.forgetAtMs = forgetAtMs;
  }

  retired(nowMs: number, limit: number): readonly string[] {
    const at = (address: string): number => this.#kept.get(address)?.forgetAtMs ?? Infinity;
    return this.#without((forgetAtMs) => forgetAtMs !== undefined && forgetAtMs <= nowMs)
      .sort((a, b) => at(a) - at(b))
      .slice(0, limit);
  }

  unretired(): readonly string[] {
    return this.#without((at) => at === undefined);
  }

  /** Addresses without members, by when they may be forgotten. */
  #without(isMeant: (forgetAtMs: number | undefined) => boolean): string[] {
    return [...this.#kept]
      .filter(([, kept]) => kept.members.size === 0 && isMeant(kept.forgetAtMs))
      .map(([address]) => address);
  }

  forget(address: string): void {
    this.#kept.delete(address);
  }

  close(): void {}

  #apply(commit: StoredCommit): void {
    let kept = this.#kept.get(commit.address);
    if (kept === undefined || kept.epoch !== commit.epoch) {
      kept = {
        epoch: commit.epoch,
        seq: 0,
        entries: [],
        evicted: new Map(),
        members: new Map(),
        privates: new Map(),
        state: undefined,
        forgetAtMs: undefined,
      };
      this.#kept.set(commit.address, kept);
    }
    kept.seq = commit.seq;
    kept.forgetAtMs = undefined;
    kept.entries.push(...(commit.entries ?? []));
    const through = commit.evictedThrough;
    if (through !== undefined) kept.entries = kept.entries.filter(({ seq }) => seq > through);
    for (const [topic, seq] of commit.evicted ?? []) kept.evicted.set(topic, seq);
    for (const member of commit.members ?? []) kept.members.set(member.id, member);
    for (const one of commit.privates ?? []) {
      const list = kept.privates.get(one.member);
      if (list === undefined) kept.privates.set(one.member, [one]);
      else list.push(one);
    }
    for (const [member, count] of commit.acked ?? []) {
      kept.privates.set(
        member,
        (kept.privates.get(member) ?? []).filter((one) => one.count > count),
      );
    }
    for (const id of commit.gone ?? []) {
      kept.members.delete(id);
      kept.privates.delete(id);
    }
    if (commit.state !== undefined) kept.state = commit.state;
  }
}
