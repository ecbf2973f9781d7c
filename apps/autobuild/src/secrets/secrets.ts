import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { MasterKey } from "../auth/master-key.ts";
import { AutobuildError, messageOf, show } from "../errors.ts";
import type { SecretRow, SecretStore } from "../store/secret-store.ts";

const nonceBytes = 12;
const tagBytes = 16;
const maxValueBytes = 64 * 1024;

/** What every build of whatever repository may get. */
export const globalScope = "";

/** Which build asks for secrets. */
export interface SecretsOrder {
  /** The label of its repository. */
  readonly repository: string;
  /** What its plan names. */
  readonly names: readonly string[];
  /** Whether the commit comes from a fork: from somebody who may not push. */
  readonly isFork: boolean;
}

/** What a build gets. */
export interface GrantedSecrets {
  readonly values: Readonly<Record<string, string>>;
  /** Named, and not given: there is none of that name, or the build is a fork's. */
  readonly missing: readonly string[];
}

/**
 * Secrets for builds: encrypted in the database, opened for a build that names them.
 *
 * AES-256-GCM with a fresh nonce each time; scope and name are associated data, so that a row which somebody
 * moves to another name or repository does not open. No door gives a value out; `grant` is for the runner alone.
 */
export class Secrets {
  readonly #store: SecretStore;
  readonly #key: Buffer;

  constructor(store: SecretStore, key: MasterKey) {
    this.#store = store;
    this.#key = key.derive("secrets");
  }

  /** Names and scopes, without values. */
  list(): readonly SecretRow[] {
    return this.#store.list();
  }

  /**
   * Keeps a value under a name, in place of an older one.
   *
   * Throws `AUTOBUILD_BAD_OPTION` for a name that no variable has, and for a value that is empty, has a NUL, or is
   * longer than 64 KiB.
   */
  set(scope: string, name: string, value: string, nowMs: number): void {
    checkName(name);
    const bytes = Buffer.byteLength(value);
    if (value === "" || value.includes("\0") || bytes > maxValueBytes) {
      throw new AutobuildError(
        "AUTOBUILD_BAD_OPTION",
        `Expected a secret of 1 to ${maxValueBytes} bytes without NUL, got ${value.includes("\0") ? "one with a NUL" : `${bytes} bytes`}.`,
      );
    }
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    cipher.setAAD(boundTo(scope, name));
    const sealed = Buffer.concat([
      nonce,
      cipher.update(value, "utf8"),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    this.#store.set(scope, name, sealed, nowMs);
  }

  /** False: there is none of that name. */
  remove(scope: string, name: string): boolean {
    return this.#store.remove(scope, name);
  }

  /**
   * What a build gets of what its plan names: the repository's own, else the global one. Nothing for a fork.
   *
   * Throws `AUTOBUILD_NO_SECRET` when one is there and cannot be opened: with another key, or changed on the disk.
   */
  grant({ repository, names, isFork }: SecretsOrder): GrantedSecrets {
    const values: Record<string, string> = {};
    const missing: string[] = [];
    for (const name of new Set(names)) {
      const value = isFork
        ? undefined
        : (this.#open(repository, name) ?? this.#open(globalScope, name));
      if (value === undefined) missing.push(name);
      else values[name] = value;
    }
    return { values, missing };
  }

  /**
   * What a build's runner gets, which finds out by itself which of them the plan names. It is told of those that
   * cannot be opened, since the build may need none of them.
   */
  grantAll({ repository, isFork }: Omit<SecretsOrder, "names">): {
    readonly values: Readonly<Record<string, string>>;
    /** By name, why it cannot be opened. */
    readonly unopened: Readonly<Record<string, string>>;
  } {
    const values: Record<string, string> = {};
    const unopened: Record<string, string> = {};
    for (const { scope, name } of this.list()) {
      if (scope !== globalScope && scope !== repository) continue;
      try {
        Object.assign(values, this.grant({ repository, names: [name], isFork }).values);
      } catch (error) {
        unopened[name] = messageOf(error);
      }
    }
    return { values, unopened };
  }

  #open(scope: string, name: string): string | undefined {
    const sealed = this.#store.get(scope, name);
    if (sealed === undefined) return undefined;
    try {
      const decipher = createDecipheriv("aes-256-gcm", this.#key, sealed.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(boundTo(scope, name));
      decipher.setAuthTag(sealed.subarray(-tagBytes));
      const value = decipher.update(sealed.subarray(nonceBytes, -tagBytes));
      return Buffer.concat([value, decipher.final()]).toString("utf8");
    } catch (error) {
      throw new AutobuildError(
        "AUTOBUILD_NO_SECRET",
        `Expected the secret ${name} to open with this key, got one that another key closed, or that was changed. ` +
          `Start AutoBuild with the key that it was set with, or set it again: autobuild secret set ${name}`,
        { cause: error },
      );
    }
  }
}

function boundTo(scope: string, name: string): Buffer {
  return Buffer.from(JSON.stringify(["autobuild secret", scope, name]));
}

function checkName(name: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name) && !name.startsWith("AUTOBUILD")) return;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected the name of a variable, of letters, digits and _, that does not begin with AUTOBUILD, got ${show(name)}.`,
  );
}
