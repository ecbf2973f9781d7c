import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const secretBytes = 32;
const shape = /^([\w-]{43})\.([\w-]{43})$/;

/** What a new session is known by: to the browser by `cookie`, to the store by `id`. */
export interface NewSession {
  readonly id: string;
  readonly cookie: string;
}

/**
 * The cookie that says which session a browser is in: 256 random bits and their HMAC-SHA-256.
 *
 * The store has the SHA-256 of the bits alone: who reads it cannot log in with what is there.
 */
export class SessionCookie {
  /** Cookies know no ports: two AutoBuilds on one machine would overwrite each other's under one name. */
  readonly name: string;
  readonly #key: Buffer;
  readonly #isSecure: boolean;

  /** @param isSecure whether pages are reached by https, directly or through a proxy */
  constructor(key: Buffer, isSecure: boolean) {
    this.#key = key;
    this.#isSecure = isSecure;
    const mark = createHash("sha256").update("name").update(key).digest("hex").slice(0, 8);
    this.name = `${isSecure ? "__Host-" : ""}autobuild_${mark}`;
  }

  create(): NewSession {
    const secret = randomBytes(secretBytes).toString("base64url");
    return { id: idOf(secret), cookie: `${secret}.${this.#sign(secret)}` };
  }

  /** The id of the session that a request's `Cookie` names; undefined if it names none, or one that was not signed here. */
  read(header: string | null): string | undefined {
    for (const pair of (header ?? "").split(";")) {
      const [name, value = ""] = pair.trim().split("=", 2);
      if (name !== this.name) continue;
      const [, secret, signature] = shape.exec(value) ?? [];
      if (secret === undefined || signature === undefined) continue;
      if (timingSafeEqual(Buffer.from(signature), Buffer.from(this.#sign(secret))))
        return idOf(secret);
    }
    return undefined;
  }

  /** The `Set-Cookie` that logs a browser in. */
  set(cookie: string, lifetimeMs: number): string {
    return `${this.name}=${cookie}; Max-Age=${Math.floor(lifetimeMs / 1000)}; ${this.#attributes}`;
  }

  /** The `Set-Cookie` that makes a browser forget it. */
  get clear(): string {
    return `${this.name}=; Max-Age=0; ${this.#attributes}`;
  }

  // Lax: a link from a chat leads to the build and not to a login. What changes something looks at `Origin`.
  get #attributes(): string {
    return `Path=/; HttpOnly; SameSite=Lax${this.#isSecure ? "; Secure" : ""}`;
  }

  #sign(secret: string): string {
    return createHmac("sha256", this.#key).update(secret).digest("base64url");
  }
}

function idOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
