import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { AutobuildError } from "../errors.ts";
import type { AccountStore, Token } from "../store/account-store.ts";
import type { Access, AccessRequest, Grant } from "./access.ts";
import { LoginAttempts, type AttemptLimits } from "./login-attempts.ts";
import type { MasterKey } from "./master-key.ts";
import { verifyPassword } from "./password.ts";
import { anonymousPolicy, type AnonymousPolicy, type Reach } from "./policy.ts";
import type { Role } from "./role.ts";
import { isSameSecret } from "./same-secret.ts";
import { SessionCookie } from "./session-cookie.ts";

const sessionLifetimeMs = 14 * 24 * 3_600_000;
const tokenPrefix = "autobuild_";

/** What `Auth` works with. */
export interface AuthParts {
  readonly accounts: AccountStore;
  readonly key: MasterKey;
  readonly clock: Clock;
  readonly attemptLimits?: AttemptLimits;
}

/** How a login went. */
export type LoginResult =
  | { readonly type: "ok"; readonly access: Access; readonly setCookie: string }
  | { readonly type: "refused" }
  | { readonly type: "tooMany"; readonly retryAfterMs: number };

/**
 * Who may do what, at every door.
 *
 * A request is looked at in this order, and the first that it has decides: a token (`Authorization`, or the
 * `auth` of a join), a session's cookie, nothing. A token that is not known is refused and never counts as
 * nothing; a session that has ended does, so that its page can show the login.
 */
export class Auth {
  /** What a command on this machine comes with: whoever can read the data folder has it. New at each start. */
  readonly localToken: string = newToken();
  readonly #accounts: AccountStore;
  readonly #sessionKey: Buffer;
  readonly #clock: Clock;
  readonly #attempts: LoginAttempts;
  #policy: AnonymousPolicy = { withoutAccounts: "none", withAccounts: "none" };
  #cookie: SessionCookie;

  constructor({ accounts, key, clock, attemptLimits }: AuthParts) {
    this.#accounts = accounts;
    this.#sessionKey = key.derive("sessions");
    this.#clock = clock;
    this.#attempts = new LoginAttempts(clock, attemptLimits);
    this.#cookie = new SessionCookie(this.#sessionKey, false);
  }

  /**
   * Says from where AutoBuild is reached. Until then nobody gets in without a token.
   *
   * Throws `AUTOBUILD_NO_ACCOUNTS` where everybody in the network would get in.
   */
  open(reach: Reach): void {
    const policy = anonymousPolicy(reach);
    if (policy.withoutAccounts === null && !this.#accounts.hasAccounts()) {
      throw new AutobuildError(
        "AUTOBUILD_NO_ACCOUNTS",
        `Expected a user or a token before AutoBuild can be reached from other machines (${reach.publicUrl ?? reach.host}), got none. ` +
          "Add one: autobuild user add <name> --role admin. Or let everybody read, and nobody build: --anonymous viewer.",
      );
    }
    this.#policy = policy;
    this.#cookie = new SessionCookie(
      this.#sessionKey,
      reach.publicUrl?.startsWith("https:") ?? false,
    );
  }

  /** What somebody may do now who has not logged in. */
  get roleWithoutLogin(): Role {
    const { withAccounts, withoutAccounts } = this.#policy;
    return this.#accounts.hasAccounts() ? withAccounts : (withoutAccounts ?? "none");
  }

  /** Who asks. Looks everything up: what was taken back a moment ago does not count. */
  accessOf(request: AccessRequest): Access {
    const token = tokenOf(request);
    if (token !== undefined) return this.#accessOfToken(token);
    const id = this.#cookie.read(request.headers.get("cookie"));
    return this.renew({
      role: "none",
      name: null,
      grant: id === undefined ? anonymous : { type: "session", id },
    });
  }

  /** The same access as of now: with another role, or as nobody's when it was taken back or has expired. */
  renew({ grant }: Access): Access {
    const nowMs = this.#clock.epochMs();
    switch (grant.type) {
      case "anonymous":
        return { role: this.roleWithoutLogin, name: null, grant };
      case "session": {
        const owner = this.#accounts.sessionOwner(grant.id, nowMs);
        return owner === undefined ? this.renew(nobody) : { ...owner, grant };
      }
      case "token": {
        const token = this.#accounts.tokenById(grant.id, nowMs);
        return token === undefined ? refused : accessOfToken(token);
      }
      case "local":
        return local;
      case "refused":
        return refused;
    }
  }

  /**
   * Logs in with a name and a password; without a name the password is a token.
   *
   * Takes as long for a name that nobody has. Rejects with `AUTOBUILD_BUSY` when too many try at once.
   */
  async login(name: string, password: string, address: string): Promise<LoginResult> {
    const retryAfterMs = this.#attempts.waitMs(address, name);
    if (retryAfterMs > 0) return { type: "tooMany", retryAfterMs };
    this.#attempts.begin(address, name);
    const owner = name === "" ? this.#loginToken(password) : await this.#loginUser(name, password);
    if (owner === undefined) return { type: "refused" };
    this.#attempts.succeeded(address, name);
    const nowMs = this.#clock.epochMs();
    const { id, cookie } = this.#cookie.create();
    this.#accounts.addSession(id, owner, nowMs, nowMs + sessionLifetimeMs);
    return {
      type: "ok",
      access: this.renew({ ...nobody, grant: { type: "session", id } }),
      setCookie: this.#cookie.set(cookie, sessionLifetimeMs),
    };
  }

  /** Ends the session, for everybody who has its cookie. Returns the `Set-Cookie` that forgets it. */
  logout({ grant }: Access): string {
    if (grant.type === "session") this.#accounts.endSession(grant.id);
    return this.#cookie.clear;
  }

  async #loginUser(name: string, password: string): Promise<{ userId: number } | undefined> {
    const found = this.#accounts.userByName(name);
    const isRight = await verifyPassword(password, found?.passwordHash);
    return isRight && found !== undefined ? { userId: found.user.id } : undefined;
  }

  #loginToken(token: string): { tokenId: number } | undefined {
    const { grant } = this.#accessOfToken(token);
    return grant.type === "token" ? { tokenId: grant.id } : undefined;
  }

  #accessOfToken(token: string): Access {
    if (isSameSecret(token, this.localToken)) return local;
    const nowMs = this.#clock.epochMs();
    const found = this.#accounts.tokenByHash(hashToken(token), nowMs);
    if (found === undefined) return refused;
    try {
      this.#accounts.touchToken(found, nowMs);
    } catch {
      // A full disk keeps nobody out.
    }
    return accessOfToken(found);
  }
}

const anonymous: Grant = { type: "anonymous" };
const nobody: Access = { role: "none", name: null, grant: anonymous };
const refused: Access = { role: "none", name: null, grant: { type: "refused" } };
const local: Access = { role: "admin", name: null, grant: { type: "local" } };

function accessOfToken({ id, name, role }: Token): Access {
  return { role, name, grant: { type: "token", id } };
}

/** A token for a program: 256 random bits behind a prefix by which scanners for secrets know it. */
export function newToken(): string {
  return `${tokenPrefix}${randomBytes(32).toString("base64url")}`;
}

/** What the store keeps of a token. Its 256 bits cannot be guessed, so it needs no slow hash. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** `Bearer <token>`; `Basic`, for programs that know nothing else, with the token as the password; or `auth` of a join. */
function tokenOf({ headers, auth }: AccessRequest): string | undefined {
  const [scheme = "", value = ""] = (headers.get("authorization") ?? "").split(" ", 2);
  switch (scheme.toLowerCase()) {
    case "bearer":
      return value;
    case "basic":
      return Buffer.from(value, "base64").toString("utf8").split(":").slice(1).join(":");
    default:
      return typeof auth === "string" && auth !== "" ? auth : undefined;
  }
}
