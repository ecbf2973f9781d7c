import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { AutobuildError } from "../errors.ts";

/** Parameters of scrypt, kept with each hash: `N` is `2 ** logN`. */
interface ScryptCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and three passes; one of the settings that OWASP lists as equal. */
const cost: ScryptCost = { logN: 15, r: 8, p: 3 };
const saltBytes = 16;
const hashBytes = 32;

/** Hashes that are computed at the same time: 32 MiB each, on threads that git and files need too. */
const maxAtOnce = 2;
const maxWaiting = 20;

const minPasswordLength = 12;
const maxPasswordLength = 1024;

/** Hashes a password for the store: `scrypt$15$8$3$<salt>$<hash>`. Throws `AUTOBUILD_BAD_OPTION` for one that is too short. */
export async function hashPassword(password: string): Promise<string> {
  if (password.length < minPasswordLength || password.length > maxPasswordLength) {
    throw new AutobuildError(
      "AUTOBUILD_BAD_OPTION",
      `Expected a password of ${minPasswordLength} to ${maxPasswordLength} characters, got ${password.length}. A few words in a row will do.`,
    );
  }
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, salt, cost);
  const { logN, r, p } = cost;
  return ["scrypt", logN, r, p, salt.toString("base64url"), hash.toString("base64url")].join("$");
}

/**
 * Whether a password is the one that was hashed. Without a hash (there is no such user) it is not, and takes as long.
 *
 * Throws `AUTOBUILD_BUSY` when too many wait already.
 */
export async function verifyPassword(
  password: string,
  stored: string | undefined,
): Promise<boolean> {
  const [, logN, r, p, salt = "", hash = ""] = (stored ?? nobody).split("$");
  const parameters = { logN: Number(logN), r: Number(r), p: Number(p) };
  const expected = Buffer.from(hash, "base64url");
  // A longer one is nobody's, and hashing it would cost what its sender likes.
  const given = password.slice(0, maxPasswordLength);
  const actual = await derive(given, Buffer.from(salt, "base64url"), parameters);
  const isSame = actual.length === expected.length && timingSafeEqual(actual, expected);
  return isSame && stored !== undefined && given === password;
}

const nobody = [
  "scrypt",
  cost.logN,
  cost.r,
  cost.p,
  randomBytes(saltBytes).toString("base64url"),
  randomBytes(hashBytes).toString("base64url"),
].join("$");

let running = 0;
const waiting: (() => void)[] = [];

async function derive(password: string, salt: Buffer, { logN, r, p }: ScryptCost): Promise<Buffer> {
  if (running >= maxAtOnce) {
    if (waiting.length >= maxWaiting) {
      throw new AutobuildError(
        "AUTOBUILD_BUSY",
        `Expected fewer than ${maxWaiting} logins to wait, got as many. Try again in a few seconds.`,
      );
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  running++;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      const options = { N: 2 ** logN, r, p, maxmem: 128 * 2 ** logN * r * 2 };
      // The same text typed on two keyboards may come in two forms of Unicode.
      scrypt(password.normalize("NFKC"), salt, hashBytes, options, (error, hash) =>
        error === null ? resolve(hash) : reject(error),
      );
    });
  } finally {
    running--;
    waiting.shift()?.();
  }
}
