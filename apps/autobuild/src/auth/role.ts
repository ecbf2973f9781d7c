import { AutobuildError, show } from "../errors.ts";

/**
 * What somebody may do; each role may do what those before it may.
 *
 * - `none`: log in.
 * - `viewer`: see builds, logs and the queue.
 * - `builder`: run, cancel and repeat builds.
 * - `admin`: also say what is built: add and remove repositories.
 */
export type Role = "none" | "viewer" | "builder" | "admin";

/** Who asks, as they may know themselves: by the name of their user or token, null without a login. Plain JSON. */
export interface Visitor {
  readonly name: string | null;
  readonly role: Role;
}

/** From the least to the most. */
const roles: readonly Role[] = ["none", "viewer", "builder", "admin"];

/** Whether one role includes another. */
export function includesRole(has: Role, needed: Role): boolean {
  return roles.indexOf(has) >= roles.indexOf(needed);
}

/** Throws `AUTOBUILD_BAD_OPTION` for what is no role. */
export function parseRole(text: string, allowed: readonly Role[] = roles): Role {
  const role = allowed.find((each) => each === text);
  if (role !== undefined) return role;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected a role, one of ${allowed.join(", ")}, got ${show(text)}.`,
  );
}
