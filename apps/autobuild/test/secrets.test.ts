import { readFileSync } from "node:fs";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { MasterKey } from "../src/auth/master-key.ts";
import { globalScope, Secrets } from "../src/secrets/secrets.ts";
import { openDatabase } from "../src/store/database.ts";
import { SecretStore } from "../src/store/secret-store.ts";
import { temporaryFolder } from "./support/temporary.ts";

const key = "ab".repeat(32);
const value = "a-value-that-is-nowhere-else";

function setUp(): { secrets: Secrets; database: DatabaseSync; dataDir: string } {
  const dataDir = temporaryFolder();
  const database = openDatabase(dataDir);
  onTestFinished(() => database.close());
  return { secrets: secretsOf(database), database, dataDir };
}

function secretsOf(database: DatabaseSync, hex = key): Secrets {
  return new Secrets(new SecretStore(database), MasterKey.load("", { AUTOBUILD_KEY: hex }));
}

const build = { repository: "/srv/one", names: ["TOKEN", "OTHER", "TOKEN"], isFork: false };

describe("a secret", () => {
  test("is given to builds that name it, the repository's own before the global one", () => {
    const { secrets } = setUp();
    secrets.set(globalScope, "TOKEN", "global", 1);
    expect(secrets.grant(build)).toEqual({ values: { TOKEN: "global" }, missing: ["OTHER"] });
    secrets.set("/srv/one", "TOKEN", "own", 2);
    secrets.set("/srv/two", "OTHER", "of another", 2);
    expect(secrets.grant(build)).toEqual({ values: { TOKEN: "own" }, missing: ["OTHER"] });
    expect(secrets.grant({ ...build, names: [] })).toEqual({ values: {}, missing: [] });
    expect(secrets.remove("/srv/one", "TOKEN")).toBe(true);
    expect(secrets.remove("/srv/one", "TOKEN")).toBe(false);
    expect(secrets.grant(build).values).toEqual({ TOKEN: "global" });
  });

  test("is not given to a fork", () => {
    const { secrets } = setUp();
    secrets.set(globalScope, "TOKEN", value, 1);
    expect(secrets.grant({ ...build, isFork: true })).toEqual({
      values: {},
      missing: ["TOKEN", "OTHER"],
    });
  });

  test("is in no file of the data folder, and each time closed in another way", () => {
    const { secrets, database, dataDir } = setUp();
    secrets.set(globalScope, "TOKEN", value, 1);
    const sealed = (): unknown => database.prepare("SELECT sealed FROM secret").get()?.["sealed"];
    const first = sealed();
    secrets.set(globalScope, "TOKEN", value, 2);
    expect(sealed()).not.toEqual(first);
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    expect(readFileSync(path.join(dataDir, "autobuild.sqlite")).includes(value)).toBe(false);
    expect(secrets.list()).toEqual([{ scope: "", name: "TOKEN", updatedMs: 2 }]);
  });

  test.each([
    ["moved to another name", "UPDATE secret SET name = 'OTHER'"],
    ["moved to another repository", "UPDATE secret SET scope = '/srv/one'"],
    ["changed", "UPDATE secret SET sealed = CAST(sealed || x'00' AS BLOB)"],
    ["cut", "UPDATE secret SET sealed = substr(sealed, 1, 20)"],
  ])("that somebody has %s on the disk does not open", (_what, change) => {
    const { secrets, database } = setUp();
    secrets.set(globalScope, "TOKEN", value, 1);
    database.exec(change);
    expect(() => secrets.grant(build)).toThrow(
      /^Expected the secret (TOKEN|OTHER) to open with this key/,
    );
  });

  test("does not open with another key", () => {
    const { secrets, database } = setUp();
    secrets.set(globalScope, "TOKEN", value, 1);
    const other = secretsOf(database, "cd".repeat(32));
    expect(() => other.grant(build)).toThrow("Start AutoBuild with the key that it was set with");
  });

  test("has the name of a variable, and a value of bounded size", () => {
    const { secrets } = setUp();
    for (const name of ["", "1A", "A-B", "A B", "AUTOBUILD_KEY", "A".repeat(129)])
      expect(() => secrets.set(globalScope, name, value, 1)).toThrow(
        /^Expected the name of a variable/,
      );
    for (const bad of ["", "a\0b", "x".repeat(65_537)])
      expect(() => secrets.set(globalScope, "A", bad, 1)).toThrow(
        /^Expected a secret of 1 to 65536 bytes/,
      );
    secrets.set(globalScope, "A", "ä".repeat(32_768), 1);
    expect(secrets.grant({ ...build, names: ["A"] }).values["A"]).toHaveLength(32_768);
  });
});
