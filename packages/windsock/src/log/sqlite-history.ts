import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { HistoryError } from "../errors.ts";
import { bootId } from "./boot-id.ts";
import type {
  HistoryStore,
  StoredActor,
  StoredCommit,
  StoredEntry,
  StoredMember,
  StoredPrivate,
} from "./history-store.ts";

export interface SqliteHistoryOptions {
  /**
   * What a commit survives: `"normal"` the death of the process, `"full"` a power failure too.
   * @default "normal"
   */
  readonly sync?: "normal" | "full";
  /** Names this start of the machine. @default what the system says; on Linux */
  readonly bootId?: string | undefined;
}

/** Its structure. A file of a newer one is refused, an older one is brought up to it. */
const migrations: readonly string[] = [
  `CREATE TABLE actor (
     address TEXT PRIMARY KEY,
     epoch TEXT NOT NULL,
     seq INTEGER NOT NULL,
     state BLOB
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE entry (
     address TEXT NOT NULL,
     seq INTEGER NOT NULL,
     type TEXT NOT NULL,
     topic TEXT NOT NULL,
     kind TEXT NOT NULL,
     bytes BLOB NOT NULL,
     at_ms INTEGER NOT NULL,
     PRIMARY KEY (address, seq)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE evicted (
     address TEXT NOT NULL,
     topic TEXT NOT NULL,
     seq INTEGER NOT NULL,
     PRIMARY KEY (address, topic)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE member (
     address TEXT NOT NULL,
     id TEXT NOT NULL,
     join_order INTEGER NOT NULL,
     data BLOB NOT NULL,
     PRIMARY KEY (address, id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE private (
     address TEXT NOT NULL,
     member TEXT NOT NULL,
     count INTEGER NOT NULL,
     data BLOB NOT NULL,
     PRIMARY KEY (address, member, count)
   ) STRICT, WITHOUT ROWID;`,
  // The server that uses it, or used it last.
  `CREATE TABLE run (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     boot TEXT NOT NULL,
     sync TEXT NOT NULL,
     is_closed INTEGER NOT NULL
   ) STRICT;`,
  // When an actor that has ended may be forgotten, in ms of the wall clock. Null: it has not.
  `ALTER TABLE actor ADD COLUMN forget_at_ms INTEGER;
   CREATE INDEX actor_forget_at ON actor (forget_at_ms);`,
];

/** Further away than any time that is asked for. */
const never = Number.MAX_SAFE_INTEGER;

const tables = ["actor", "entry", "evicted", "member", "private"] as const;

/** A history in one SQLite file. One process at a time; another is refused. */
export class SqliteHistory implements HistoryStore {
  readonly #database: DatabaseSync;
  readonly #sql: Readonly<Record<keyof typeof statements, StatementSync>>;

  /** @throws HistoryError when the file cannot be opened, is in use, or was written by a newer version */
  constructor(file: string, options: SqliteHistoryOptions = {}) {
    try {
      mkdirSync(dirname(file), { recursive: true });
      this.#database = new DatabaseSync(file, { timeout: 1000 });
      this.#database.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE;",
      );
      // Takes the lock now, not at the first write.
      this.#database.exec("BEGIN IMMEDIATE; COMMIT;");
      this.#migrate(file);
      this.#begin(options);
    } catch (error) {
      if (error instanceof HistoryError) throw error;
      throw new HistoryError(
        `Expected to keep the history in ${file}, got: ${messageOf(error)}. Is another server using it, or the disk full?`,
        { cause: error },
      );
    }
    this.#sql = Object.fromEntries(
      Object.entries(statements).map(([name, sql]) => [name, this.#database.prepare(sql)]),
    ) as Record<keyof typeof statements, StatementSync>;
  }

  load(address: string): StoredActor | undefined {
    const actor = this.#sql.actor.get(address);
    if (actor === undefined) return undefined;
    return {
      epoch: actor["epoch"] as string,
      seq: actor["seq"] as number,
      state: (actor["state"] as Uint8Array | null) ?? undefined,
      entries: this.#sql.entries.all(address).map(entryOf),
      evicted: new Map(
        this.#sql.evicted.all(address).map((row) => [row["topic"] as string, row["seq"] as number]),
      ),
      members: this.#sql.members.all(address).map(memberOf),
      privates: this.#sql.privates.all(address).map(privateOf),
    };
  }

  addressesWithMembers(): readonly string[] {
    return this.#sql.withMembers.all().map((row) => row["address"] as string);
  }

  write(commits: readonly StoredCommit[]): void {
    this.#within(() => {
      for (const commit of commits) this.#apply(commit);
    });
  }

  retire(address: string, forgetAtMs: number): void {
    this.#within(() => this.#sql.retire.run(Math.min(forgetAtMs, never), address));
  }

  retired(nowMs: number, limit: number): readonly string[] {
    return this.#sql.retired.all(nowMs, limit).map((row) => row["address"] as string);
  }

  unretired(): readonly string[] {
    return this.#sql.unretired.all().map((row) => row["address"] as string);
  }

  forget(address: string): void {
    this.#within(() => this.#erase(address));
  }

  close(): void {
    try {
      // Flushed: with it all that was committed before is on the disk.
      this.#database.exec("PRAGMA synchronous = FULL; UPDATE run SET is_closed = 1;");
    } finally {
      this.#database.close();
    }
  }

  /**
   * Says in the file that it is in use. If the machine went down while it was, under
   * `"normal"`, the last commits may be gone: their numbers would be given again, and a
   * client that had them would take new entries for old ones. So every log gets a new name.
   */
  #begin({ sync = "normal", bootId: boot = bootId() ?? "" }: SqliteHistoryOptions): void {
    const database = this.#database;
    const last = database.prepare("SELECT boot, sync, is_closed FROM run").get();
    const mayLack = last?.["is_closed"] === 0 && last["sync"] === "normal" && last["boot"] !== boot;
    database.exec("BEGIN IMMEDIATE");
    if (mayLack) database.exec("UPDATE actor SET epoch = lower(hex(randomblob(8)))");
    database
      .prepare("INSERT OR REPLACE INTO run (id, boot, sync, is_closed) VALUES (1, ?, ?, 0)")
      .run(boot, sync);
    database.exec("COMMIT");
    if (sync === "normal") database.exec("PRAGMA synchronous = NORMAL");
  }

  #apply(commit: StoredCommit): void {
    const { address, epoch, seq, state } = commit;
    const before = this.#sql.epoch.get(address)?.["epoch"];
    if (before !== undefined && before !== epoch) this.#erase(address);
    this.#sql.putActor.run(address, epoch, seq);
    for (const one of commit.entries ?? [])
      this.#sql.putEntry.run(address, one.seq, one.type, one.topic, one.kind, one.bytes, one.atMs);
    if (commit.evictedThrough !== undefined) this.#sql.evict.run(address, commit.evictedThrough);
    for (const [topic, last] of commit.evicted ?? [])
      this.#sql.putEvicted.run(address, topic, last);
    for (const one of commit.members ?? [])
      this.#sql.putMember.run(address, one.id, one.order, one.data);
    for (const one of commit.privates ?? [])
      this.#sql.putPrivate.run(address, one.member, one.count, one.data);
    for (const [member, count] of commit.acked ?? []) this.#sql.ack.run(address, member, count);
    for (const id of commit.gone ?? []) {
      this.#sql.dropMember.run(address, id);
      this.#sql.dropPrivates.run(address, id);
    }
    if (state !== undefined) this.#sql.putState.run(state, address);
  }

  #erase(address: string): void {
    for (const table of tables)
      this.#database.prepare(`DELETE FROM ${table} WHERE address = ?`).run(address);
  }

  #within(work: () => void): void {
    try {
      this.#sql.begin.run();
      work();
      this.#sql.commit.run();
    } catch (error) {
      if (this.#database.isTransaction) this.#sql.rollback.run();
      throw new HistoryError(
        `Expected to store what was committed, got: ${messageOf(error)}. Nothing of it was acknowledged. Is the disk full?`,
        { cause: error },
      );
    }
  }

  #migrate(file: string): void {
    const version = this.#database.prepare("PRAGMA user_version").get()?.["user_version"] as number;
    if (version > migrations.length) {
      throw new HistoryError(
        `Expected a history of version ${migrations.length} or before in ${file}, got version ${version}. Use the newer Windsock that wrote it, or another file.`,
      );
    }
    for (let next = version; next < migrations.length; next++) {
      this.#database.exec(
        `BEGIN; ${migrations[next] ?? ""} PRAGMA user_version = ${next + 1}; COMMIT;`,
      );
    }
  }
}

const statements = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  actor: "SELECT epoch, seq, state FROM actor WHERE address = ?",
  epoch: "SELECT epoch FROM actor WHERE address = ?",
  entries: "SELECT seq, type, topic, kind, bytes, at_ms FROM entry WHERE address = ? ORDER BY seq",
  evicted: "SELECT topic, seq FROM evicted WHERE address = ?",
  members: "SELECT id, join_order, data FROM member WHERE address = ? ORDER BY join_order",
  privates:
    "SELECT member, private.count, private.data FROM private JOIN member ON member.address = private.address AND member.id = private.member WHERE private.address = ? ORDER BY member.join_order, private.count",
  withMembers: "SELECT DISTINCT address FROM member",
  putActor:
    "INSERT INTO actor (address, epoch, seq) VALUES (?, ?, ?) ON CONFLICT (address) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, forget_at_ms = NULL",
  retire: "UPDATE actor SET forget_at_ms = ? WHERE address = ?",
  retired:
    "SELECT address FROM actor WHERE forget_at_ms <= ? AND NOT EXISTS (SELECT 1 FROM member WHERE member.address = actor.address) ORDER BY forget_at_ms LIMIT ?",
  unretired:
    "SELECT address FROM actor WHERE forget_at_ms IS NULL AND NOT EXISTS (SELECT 1 FROM member WHERE member.address = actor.address)",
  putState: "UPDATE actor SET state = ? WHERE address = ?",
  putEntry:
    "INSERT INTO entry (address, seq, type, topic, kind, bytes, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
  evict: "DELETE FROM entry WHERE address = ? AND seq <= ?",
  putEvicted:
    "INSERT INTO evicted (address, topic, seq) VALUES (?, ?, ?) ON CONFLICT (address, topic) DO UPDATE SET seq = excluded.seq",
  putMember:
    "INSERT INTO member (address, id, join_order, data) VALUES (?, ?, ?, ?) ON CONFLICT (address, id) DO UPDATE SET join_order = excluded.join_order, data = excluded.data",
  dropMember: "DELETE FROM member WHERE address = ? AND id = ?",
  putPrivate: "INSERT INTO private (address, member, count, data) VALUES (?, ?, ?, ?)",
  ack: "DELETE FROM private WHERE address = ? AND member = ? AND count <= ?",
  dropPrivates: "DELETE FROM private WHERE address = ? AND member = ?",
} as const;

type Row = Record<string, unknown>;

function entryOf(row: Row): StoredEntry {
  return {
    seq: row["seq"] as number,
    type: row["type"] as StoredEntry["type"],
    topic: row["topic"] as string,
    kind: row["kind"] as StoredEntry["kind"],
    bytes: row["bytes"] as Uint8Array,
    atMs: row["at_ms"] as number,
  };
}

function memberOf(row: Row): StoredMember {
  return {
    id: row["id"] as string,
    order: row["join_order"] as number,
    data: row["data"] as Uint8Array,
  };
}

function privateOf(row: Row): StoredPrivate {
  return {
    member: row["member"] as string,
    count: row["count"] as number,
    data: row["data"] as Uint8Array,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
