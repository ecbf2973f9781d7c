import { hkdfSync, randomBytes } from "node:crypto";
import { linkSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { AutobuildError, systemCodeOf } from "../errors.ts";

const keyBytes = 32;
const fileName = "autobuild.key";

/** What keys are derived for. Each has its own, so that one that leaks opens nothing else. */
export type KeyPurpose = "secrets" | "sessions";

/**
 * The one key of a data folder, from which those for each purpose are derived (HKDF-SHA-256).
 *
 * It is, in this order: the variable `AUTOBUILD_KEY` (64 hex digits), the systemd credential `autobuild.key`,
 * or the file `autobuild.key` in the data folder, readable for its owner alone, made at the first use. With
 * either of the first two a copy of the data folder does not open its secrets.
 */
export class MasterKey {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  static load(dataDir: string, environment: NodeJS.ProcessEnv = process.env): MasterKey {
    const given = environment["AUTOBUILD_KEY"];
    if (given !== undefined && given !== "")
      return new MasterKey(parseKey(given, "the variable AUTOBUILD_KEY"));
    const credentials = environment["CREDENTIALS_DIRECTORY"];
    if (credentials !== undefined && credentials !== "") {
      const file = path.join(credentials, fileName);
      const text = readIfThere(file);
      if (text !== undefined) return new MasterKey(parseKey(text, file));
    }
    return new MasterKey(keyFile(path.join(dataDir, fileName)));
  }

  derive(purpose: KeyPurpose): Buffer {
    return Buffer.from(hkdfSync("sha256", this.#key, "", `autobuild ${purpose}`, keyBytes));
  }
}

/** Reads the key file, or makes it. Two processes that make it at once agree on one. */
function keyFile(file: string): Buffer {
  const existing = readIfThere(file);
  if (existing !== undefined) {
    const { mode } = statSync(file);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw new AutobuildError(
        "AUTOBUILD_BAD_KEY",
        `Expected ${file} to be readable for its owner alone, got mode ${(mode & 0o777).toString(8)}. Run: chmod 600 ${file}`,
      );
    }
    return parseKey(existing, file);
  }
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  writeFileSync(draft, `${randomBytes(keyBytes).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
  try {
    // A link fails where the name is taken, and so never replaces a key that something is encrypted with.
    linkSync(draft, file);
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
  } finally {
    unlinkSync(draft);
  }
  return parseKey(readFileSync(file, "utf8"), file);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function parseKey(text: string, where: string): Buffer {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return Buffer.from(trimmed, "hex");
  throw new AutobuildError(
    "AUTOBUILD_BAD_KEY",
    // Never the value: it may be a key with a slip in it.
    `Expected ${where} to be 64 hex digits, got ${trimmed.length} characters. Make a key with: openssl rand -hex 32`,
  );
}
