import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Role } from "../auth/role.ts";
import { AutobuildError, show } from "../errors.ts";
import { integer, integerOrNull, one, text, type Row } from "./row.ts";

/** Somebody who logs in with a password. */
export interface User {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly createdMs: number;
}

/** What a program comes with. The token itself is shown once, and not kept. */
export interface Token {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly createdMs: number;
  /** Null: it does not expire. */
  readonly expiresMs: number | null;
  /** Null: it was not used yet. Kept to the hour. */
  readonly usedMs: number | null;
}

/** Somebody behind a session: a user, or the token that was logged in with. */
export interface SessionOwner {
  readonly name: string;
  readonly role: Role;
}

/** The migration that adds them. Released, it never changes. */
export const accountTables = `
  CREATE TABLE user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'builder', 'admin')),
    -- scrypt$<log2 of N>$<r>$<p>$<salt>$<hash>
    password TEXT NOT NULL,
    created_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'builder', 'admin')),
    -- SHA-256 in hex
    hash TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    used_ms INTEGER
  ) STRICT;

  CREATE TABLE session (
    -- SHA-256 in hex of what the cookie holds
    id TEXT PRIMARY KEY,
    user_id INTEGER REFERENCES user (id) ON DELETE CASCADE,
    token_id INTEGER REFERENCES token (id) ON DELETE CASCADE,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    CHECK ((user_id IS NULL) <> (token_id IS NULL))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX session_of_user ON session (user_id);
  CREATE INDEX session_of_token ON session (token_id);
  `;

const maxSessionsOfOne = 100;
const usedPrecisionMs = 3_600_000;
const nameShape = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/**
 * Users, tokens and sessions, in the database of the data folder.
 *
 * Commands change it while the server runs: nothing is remembered here, every question is asked of the database.
 */
export class AccountStore {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: DatabaseSync) {
    this.#statements = prepare(database);
  }

  /** Whether there is any user or token: then somebody has decided who may do what. */
  hasAccounts(): boolean {
    return Number(this.#statements.hasAccounts.get()?.["found"]) === 1;
  }

  users(): User[] {
    return this.#statements.users.all().map(userOf);
  }

  /** Adds a user, or gives an existing one another password and role; that ends their sessions. */
  saveUser(name: string, role: Role, passwordHash: string, nowMs: number): User {
    checkName(name);
    const row = this.#statements.saveUser.get(name, role, passwordHash, nowMs);
    const user = userOf(one(row));
    this.#statements.endSessionsOf.run(user.id);
    return user;
  }

  /** False: there is none of that name. Ends their sessions too. */
  removeUser(name: string): boolean {
    return this.#statements.removeUser.run(name).changes === 1;
  }

  /** A user and the hash of their password; names are the same in upper and lower case. */
  userByName(name: string): { readonly user: User; readonly passwordHash: string } | undefined {
    const row = this.#statements.userByName.get(name);
    return row === undefined
      ? undefined
      : { user: userOf(row), passwordHash: text(row, "password") };
  }

  tokens(): Token[] {
    return this.#statements.tokens.all().map(tokenOf);
  }

  /** Throws `AUTOBUILD_BAD_OPTION` when the name is taken: a token is replaced by revoking it. */
  addToken(
    token: { name: string; role: Role; hash: string; expiresMs: number | null },
    nowMs: number,
  ): Token {
    checkName(token.name);
    const { name, role, hash, expiresMs } = token;
    const row = this.#statements.addToken.get(name, role, hash, nowMs, expiresMs);
    if (row !== undefined) return tokenOf(row);
    throw new AutobuildError(
      "AUTOBUILD_BAD_OPTION",
      `Expected the name of a new token, got ${show(name)}, which there is. Revoke it first, or take another name.`,
    );
  }

  removeToken(name: string): boolean {
    return this.#statements.removeToken.run(name).changes === 1;
  }

  /** The token with this hash, unless it has expired. */
  tokenByHash(hash: string, nowMs: number): Token | undefined {
    const row = this.#statements.tokenByHash.get(hash, nowMs);
    return row === undefined ? undefined : tokenOf(row);
  }

  tokenById(id: number, nowMs: number): Token | undefined {
    const row = this.#statements.tokenById.get(id, nowMs);
    return row === undefined ? undefined : tokenOf(row);
  }

  /** Remembers that a token was used, at most once an hour. */
  touchToken(token: Token, nowMs: number): void {
    if (token.usedMs !== null && nowMs - token.usedMs < usedPrecisionMs) return;
    this.#statements.touchToken.run(nowMs, token.id);
  }

  /** Begins a session of a user or of a token. The oldest ones of somebody with a hundred end. */
  addSession(
    id: string,
    owner: { readonly userId: number } | { readonly tokenId: number },
    nowMs: number,
    expiresMs: number,
  ): void {
    const userId = "userId" in owner ? owner.userId : null;
    const tokenId = "tokenId" in owner ? owner.tokenId : null;
    this.#statements.endExpired.run(nowMs);
    this.#statements.addSession.run(id, userId, tokenId, nowMs, expiresMs);
    this.#statements.endOldest.run({ userId, tokenId, kept: maxSessionsOfOne });
  }

  endSession(id: string): void {
    this.#statements.endSession.run(id);
  }

  /** Whose session that is; undefined when it has ended. The role is what it is now. */
  sessionOwner(id: string, nowMs: number): SessionOwner | undefined {
    const row = this.#statements.sessionOwner.get({ id, nowMs });
    return row === undefined
      ? undefined
      : { name: text(row, "name"), role: text(row, "role") as Role };
  }
}

function prepare(database: DatabaseSync): Record<StatementName, StatementSync> {
  const isValid = "(expires_ms IS NULL OR expires_ms > ?)";
  return {
    hasAccounts: database.prepare(
      "SELECT (EXISTS (SELECT 1 FROM user) OR EXISTS (SELECT 1 FROM token)) AS found",
    ),
    users: database.prepare("SELECT * FROM user ORDER BY name"),
    saveUser: database.prepare(
      `INSERT INTO user (name, role, password, created_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET role = excluded.role, password = excluded.password RETURNING *`,
    ),
    removeUser: database.prepare("DELETE FROM user WHERE name = ?"),
    userByName: database.prepare("SELECT * FROM user WHERE name = ?"),
    tokens: database.prepare("SELECT * FROM token ORDER BY name"),
    addToken: database.prepare(
      `INSERT INTO token (name, role, hash, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (name) DO NOTHING RETURNING *`,
    ),
    removeToken: database.prepare("DELETE FROM token WHERE name = ?"),
    tokenByHash: database.prepare(`SELECT * FROM token WHERE hash = ? AND ${isValid}`),
    tokenById: database.prepare(`SELECT * FROM token WHERE id = ? AND ${isValid}`),
    touchToken: database.prepare("UPDATE token SET used_ms = ? WHERE id = ?"),
    addSession: database.prepare(
      "INSERT INTO session (id, user_id, token_id, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?)",
    ),
    endOldest: database.prepare(
      `DELETE FROM session WHERE id IN (
         SELECT id FROM session WHERE user_id IS $userId AND token_id IS $tokenId
         ORDER BY created_ms DESC, id LIMIT -1 OFFSET $kept)`,
    ),
    endSession: database.prepare("DELETE FROM session WHERE id = ?"),
    endSessionsOf: database.prepare("DELETE FROM session WHERE user_id = ?"),
    endExpired: database.prepare("DELETE FROM session WHERE expires_ms <= ?"),
    sessionOwner: database.prepare(
      `SELECT coalesce(user.name, token.name) AS name, coalesce(user.role, token.role) AS role FROM session
         LEFT JOIN user ON user.id = session.user_id LEFT JOIN token ON token.id = session.token_id
       WHERE session.id = $id AND session.expires_ms > $nowMs
         AND (token.expires_ms IS NULL OR token.expires_ms > $nowMs)`,
    ),
  };
}

type StatementName =
  | "hasAccounts"
  | "users"
  | "saveUser"
  | "removeUser"
  | "userByName"
  | "tokens"
  | "addToken"
  | "removeToken"
  | "tokenByHash"
  | "tokenById"
  | "touchToken"
  | "addSession"
  | "endOldest"
  | "endSession"
  | "endSessionsOf"
  | "endExpired"
  | "sessionOwner";

function checkName(name: string): void {
  if (nameShape.test(name)) return;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected a name of at most 64 letters, digits and . _ @ -, got ${show(name)}.`,
  );
}

function userOf(row: Row): User {
  return {
    id: integer(row, "id"),
    name: text(row, "name"),
    role: text(row, "role") as Role,
    createdMs: integer(row, "created_ms"),
  };
}

function tokenOf(row: Row): Token {
  return {
    ...userOf(row),
    expiresMs: integerOrNull(row, "expires_ms"),
    usedMs: integerOrNull(row, "used_ms"),
  };
}
