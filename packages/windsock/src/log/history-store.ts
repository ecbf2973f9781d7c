import type { Payload } from "../protocol/port.ts";

/** An entry of an actor's log, as it is stored. */
export interface StoredEntry {
  readonly seq: number;
  /** `restarted` entries have no topic and no bytes. */
  readonly type: "message" | "restarted";
  readonly topic: string;
  readonly kind: Payload["kind"];
  readonly bytes: Uint8Array;
  /** Wall clock, in ms: the process that reads it may be another one. */
  readonly atMs: number;
}

/** A membership. What `data` holds is its owner's business; the store keeps it as it is. */
export interface StoredMember {
  readonly id: string;
  /** Rises with each join of the actor: members come back in this order. */
  readonly order: number;
  readonly data: Uint8Array;
}

/** A message for one member alone that was not acknowledged yet. */
export interface StoredPrivate {
  readonly member: string;
  /** Counts the member's private messages, from 1. */
  readonly count: number;
  readonly data: Uint8Array;
}

/** Everything that is kept of one actor. */
export interface StoredActor {
  readonly epoch: string;
  /** The number of the newest entry, whether or not that is still kept. */
  readonly seq: number;
  /** Oldest first. */
  readonly entries: readonly StoredEntry[];
  /** For each topic, the newest entry that went. */
  readonly evicted: ReadonlyMap<string, number>;
  /** In the order of their joins. */
  readonly members: readonly StoredMember[];
  /** By member, then by count. */
  readonly privates: readonly StoredPrivate[];
  readonly state: Uint8Array | undefined;
}

/** What one commit of one actor changes. Everything absent stays as it was. */
export interface StoredCommit {
  readonly address: string;
  readonly epoch: string;
  readonly seq: number;
  /** In rising order, each above all that are kept. */
  readonly entries?: readonly StoredEntry[];
  /** Entries up to this number went. */
  readonly evictedThrough?: number;
  /** The topics that lost entries, with the number of the last one lost. */
  readonly evicted?: ReadonlyMap<string, number>;
  /** New members, and those whose data changed. */
  readonly members?: readonly StoredMember[];
  /** Members that are gone, their private messages with them. */
  readonly gone?: readonly string[];
  readonly privates?: readonly StoredPrivate[];
  /** Private messages of this member up to this count were acknowledged. */
  readonly acked?: ReadonlyMap<string, number>;
  readonly state?: Uint8Array;
}

/**
 * Where the logs, memberships and states of durable services stand.
 *
 * The host calls `load` when an actor starts, and `write` with the commits of one round
 * of the event loop, of any actors, in their order. Frames, acknowledgements and HTTP
 * answers leave after `write` has returned.
 *
 * `write` MUST be atomic: it stores all of the commits, or throws and stores none. After
 * it has returned, the death of the process MUST NOT undo it.
 */
export interface HistoryStore {
  /** Undefined: nothing was ever stored for this address. */
  load(address: string): StoredActor | undefined;
  /** The addresses that have members: their actors start with the server, to give grace. */
  addressesWithMembers(): readonly string[];
  write(commits: readonly StoredCommit[]): void;
  /** The actor has ended: from this time of the wall clock on it may be forgotten; `Infinity`: never. A commit takes it back. */
  retire(address: string, forgetAtMs: number): void;
  /** Those that may be forgotten by now and have no members, so many at most. */
  retired(nowMs: number, limit: number): readonly string[];
  /** Those without members that have not ended since they were written: they run, or did when a process died. */
  unretired(): readonly string[];
  /** Ends everything kept of an address. */
  forget(address: string): void;
  close(): void;
}
