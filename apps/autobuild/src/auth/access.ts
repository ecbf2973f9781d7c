import { AutobuildError } from "../errors.ts";
import { includesRole, type Role, type Visitor } from "./role.ts";

/** What an access rests on, by which it is looked up again: it may have been taken back since. */
export type Grant =
  /** Nobody has logged in. */
  | { readonly type: "anonymous" }
  /** A login on the page: `id` is the SHA-256 of the session's secret, in hex. */
  | { readonly type: "session"; readonly id: string }
  /** A token of a program. */
  | { readonly type: "token"; readonly id: number }
  /** Whoever can read the data folder of the running server: a command on the same machine. */
  | { readonly type: "local" }
  /** A token that is none, or not any more. */
  | { readonly type: "refused" };

/** Who somebody is, and what they may do. Plain data: services have it as `client.user`. */
export interface Access extends Visitor {
  readonly grant: Grant;
}

/** What is looked at to know who asks. Both an upgrade and a plain request have it. */
export interface AccessRequest {
  readonly headers: Headers;
  /** What a client of `windsock.v1` gave with its join: a token, or anything else. */
  readonly auth?: unknown;
}

/** Whether nobody knows who asks, so that a login may help. */
export function isUnknown({ grant }: Access): boolean {
  return grant.type === "anonymous" || grant.type === "refused";
}

/** Throws `AUTOBUILD_FORBIDDEN` unless the access includes the role. */
export function requireRole(access: Access, role: Role): void {
  if (includesRole(access.role, role)) return;
  throw new AutobuildError("AUTOBUILD_FORBIDDEN", refusal(access, role));
}

/** Why this access is not enough for the role, and what to do. */
export function refusal({ role: has, name, grant }: Access, needed: Role): string {
  const needs = `Expected somebody who is at least ${needed}`;
  switch (grant.type) {
    case "anonymous":
      return `${needs}, got somebody who has not logged in. Log in at /login, or send a token as \`Authorization: Bearer <token>\`.`;
    case "refused":
      return "Expected a token that is known, got one that is not, or not any more. Make one with `autobuild token add <name>`.";
    case "session":
    case "token":
    case "local":
      return `${needs}, got ${name ?? "somebody"} (${has}). An admin of the machine can change that: \`autobuild ${grant.type === "token" ? "token" : "user"} --help\`.`;
  }
}
