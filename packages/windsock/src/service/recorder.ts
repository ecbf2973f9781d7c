import { deserialize, serialize } from "node:v8";
import type { HistoryError } from "../errors.ts";
import type {
  StoredActor,
  StoredCommit,
  StoredEntry,
  StoredMember,
  StoredPrivate,
} from "../log/history-store.ts";
import { topicOf, type Log, type LogEntry, type LogObserver } from "../log/log.ts";
import type { ActorToEdge, Outlet, Private } from "../protocol/port.ts";
import {
  Delivery,
  KeptMessage,
  type DeliveryLimits,
  type KeptPrivate,
  type SavedDelivery,
} from "./delivery.ts";
import type { HistoryGate, Recording } from "./history-gate.ts";
import type { PrivateBudget } from "./private-budget.ts";
import type { ClientData, ServiceClient } from "./service-client.ts";
import type { Followed } from "./subscriptions.ts";

/** A membership as it is stored. */
interface SavedMember {
  readonly data: ClientData;
  readonly user: unknown;
  readonly followed: readonly Followed[];
  readonly leavesOwnLog: boolean;
  /** Undefined for a plain client: its socket died with the process. */
  readonly delivery: SavedDelivery | undefined;
}

/** A membership that was found after a start. */
export interface RestoredMember extends Omit<SavedMember, "delivery"> {
  readonly id: string;
  readonly delivery: Delivery | undefined;
}

export interface RecorderOptions {
  readonly address: string;
  readonly gate: HistoryGate;
  readonly log: () => Log;
  /** Whether plain memberships are stored too: a state that knows them must hear that they ended. */
  readonly withPlainMembers: boolean;
  readonly failed: (error: HistoryError) => void;
}

/** What one durable actor has changed since it was stored last. */
export class Recorder implements Recording, LogObserver {
  readonly address: string;
  readonly #options: RecorderOptions;
  readonly #orders = new Map<string, number>();
  #nextOrder = 1;
  #entries: StoredEntry[] = [];
  #evictedThrough = 0;
  #evicted = new Map<string, number>();
  #changed = new Set<ServiceClient>();
  #gone: string[] = [];
  #privates: StoredPrivate[] = [];
  #acked = new Map<string, number>();
  #state: Uint8Array | undefined;
  #lastState: Uint8Array | undefined;
  #isOver = false;

  constructor(options: RecorderOptions) {
    this.address = options.address;
    this.#options = options;
  }

  // ---------- what changes ----------

  appended(entry: LogEntry): void {
    const { seq, type } = entry;
    const atMs = Date.now();
    this.#entries.push(
      entry.type === "message"
        ? {
            seq,
            type,
            topic: entry.topic,
            kind: entry.payload.kind,
            bytes: entry.payload.bytes,
            atMs,
          }
        : { seq, type, topic: "", kind: "text", bytes: new Uint8Array(), atMs },
    );
    this.#touch();
  }

  evicted(entry: LogEntry): void {
    this.#evictedThrough = entry.seq;
    this.#evicted.set(topicOf(entry), entry.seq);
    this.#touch();
  }

  /** A member joined, or something of it changed. */
  changed(client: ServiceClient): void {
    if (client.delivery === undefined && !this.#options.withPlainMembers) return;
    if (client.membership !== "joined") return;
    if (!this.#orders.has(client.id)) this.#orders.set(client.id, this.#nextOrder++);
    this.#changed.add(client);
    this.#touch();
  }

  left(client: ServiceClient): void {
    if (!this.#orders.delete(client.id)) return;
    this.#changed.delete(client);
    this.#acked.delete(client.id);
    this.#privates = this.#privates.filter((one) => one.member !== client.id);
    this.#gone.push(client.id);
    this.#touch();
  }

  kept(client: ServiceClient, kept: KeptPrivate): void {
    this.#privates.push({
      member: client.id,
      count: kept.count,
      data: serialize({ after: kept.after, item: kept.message.item }),
    });
    this.changed(client);
  }

  /** Private messages up to this count need not be kept any more. */
  trimmed(client: ServiceClient, count: number): void {
    this.#acked.set(client.id, Math.max(count, this.#acked.get(client.id) ?? 0));
    this.changed(client);
  }

  /** The state after a commit. */
  stateIs(state: Uint8Array): void {
    if (
      this.#lastState !== undefined &&
      Buffer.from(
        this.#lastState.buffer,
        this.#lastState.byteOffset,
        this.#lastState.byteLength,
      ).equals(state)
    )
      return;
    this.#lastState = state;
    this.#state = state;
    this.#touch();
  }

  /** The state as of the last commit, undefined before the first. */
  get lastState(): Uint8Array | undefined {
    return this.#lastState;
  }

  // ---------- what waits for it ----------

  /** Runs when all that was recorded before is stored; `fail` when it could not be. */
  after(run: () => void, fail?: (error: HistoryError) => void): void {
    if (!this.#isOver) this.#options.gate.after(this, run, fail);
  }

  /** The actor has ended in order: what it did last is stored before anything else. */
  flush(): void {
    this.#options.gate.flush();
  }

  /** Posts to an edge, behind the transaction. */
  gated(outlet: Outlet<ActorToEdge>): Outlet<ActorToEdge> {
    return { post: (message) => this.after(() => outlet.post(message)) };
  }

  // ---------- for the gate ----------

  take(): StoredCommit | undefined {
    if (this.#isOver) return undefined;
    const { epoch, seq } = this.#options.log();
    const commit: StoredCommit = {
      address: this.address,
      epoch,
      seq,
      entries: this.#entries,
      ...(this.#evictedThrough === 0
        ? {}
        : { evictedThrough: this.#evictedThrough, evicted: this.#evicted }),
      members: [...this.#changed].map((client) => this.#member(client)),
      gone: this.#gone,
      privates: this.#privates,
      acked: this.#acked,
      ...(this.#state === undefined ? {} : { state: this.#state }),
    };
    this.#entries = [];
    this.#evictedThrough = 0;
    this.#evicted = new Map();
    this.#changed = new Set();
    this.#gone = [];
    this.#privates = [];
    this.#acked = new Map();
    this.#state = undefined;
    return commit;
  }

  failed(error: HistoryError): void {
    if (this.#isOver) return;
    this.end();
    this.#options.failed(error);
  }

  /** Nothing more is recorded or let out. */
  end(): void {
    this.#isOver = true;
    this.#options.gate.forget(this);
  }

  // ---------- after a start ----------

  /** The memberships that were stored, in the order of their joins. */
  restore(stored: StoredActor, limits: DeliveryLimits, budget: PrivateBudget): RestoredMember[] {
    this.#lastState = stored.state;
    const privates = new Map<string, KeptPrivate[]>();
    for (const { member, count, data } of stored.privates) {
      const { after, item } = deserialize(data) as { after: number; item: Private };
      const list = privates.get(member) ?? [];
      list.push({ count, after, message: new KeptMessage(item) });
      privates.set(member, list);
    }
    return stored.members.map(({ id, order, data }) => {
      this.#orders.set(id, order);
      this.#nextOrder = Math.max(this.#nextOrder, order + 1);
      const saved = deserialize(data) as SavedMember;
      const delivery =
        saved.delivery && Delivery.restore(limits, budget, saved.delivery, privates.get(id) ?? []);
      return { ...saved, id, delivery };
    });
  }

  #member(client: ServiceClient): StoredMember {
    const saved: SavedMember = {
      data: client.data,
      user: client.user,
      followed: client.followed,
      leavesOwnLog: client.leavesOwnLog,
      delivery: client.delivery?.save(),
    };
    return { id: client.id, order: this.#orders.get(client.id) ?? 0, data: serialize(saved) };
  }

  #touch(): void {
    if (!this.#isOver) this.#options.gate.touch(this);
  }
}
