import { scryptSync } from "node:crypto";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Access } from "../src/auth/access.ts";
import { Auth, hashToken, newToken } from "../src/auth/auth.ts";
import { LoginAttempts } from "../src/auth/login-attempts.ts";
import { MasterKey } from "../src/auth/master-key.ts";
import { hashPassword, verifyPassword } from "../src/auth/password.ts";
import type { Reach } from "../src/auth/policy.ts";
import { AccountStore } from "../src/store/account-store.ts";
import { openDatabase } from "../src/store/database.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { temporaryFolder } from "./support/temporary.ts";

const password = "correct horse battery";
const day = 24 * 3_600_000;

function setUp(reach: Reach = { host: "127.0.0.1" }) {
  const dataDir = temporaryFolder();
  const database = openDatabase(dataDir);
  onTestFinished(() => database.close());
  const clock = new ManualClock();
  const accounts = new AccountStore(database);
  const auth = new Auth({ accounts, key: MasterKey.load(dataDir, {}), clock });
  const ask = (headers: Record<string, string> = {}, joinAuth?: unknown): Access =>
    auth.accessOf({ headers: new Headers(headers), auth: joinAuth });
  const addUser = async (name: string, role: "viewer" | "builder" | "admin" = "builder") =>
    accounts.saveUser(name, role, await hashPassword(password), clock.epochMs());
  const addToken = (name: string, expiresMs: number | null = null): string => {
    const token = newToken();
    accounts.addToken(
      { name, role: "builder", hash: hashToken(token), expiresMs },
      clock.epochMs(),
    );
    return token;
  };
  return {
    dataDir,
    database,
    accounts,
    auth,
    clock,
    ask,
    addUser,
    addToken,
    open: () => auth.open(reach),
  };
}

async function cookieOf(auth: Auth, name: string, secret: string): Promise<string> {
  const result = await auth.login(name, secret, "127.0.0.1");
  if (result.type !== "ok") throw new Error(`Expected a login, got ${result.type}`);
  return result.setCookie.split(";")[0]!;
}

describe("who has not logged in", () => {
  test("may do everything on this machine while there is no account, and read as soon as there is one", async () => {
    const { open, ask, addUser, accounts } = setUp();
    expect(ask().role).toBe("none");
    open();
    expect(ask()).toEqual({ role: "admin", name: null, grant: { type: "anonymous" } });
    await addUser("ann");
    expect(ask().role).toBe("viewer");
    accounts.removeUser("ann");
    expect(ask().role).toBe("admin");
  });

  test.each([
    [{ host: "0.0.0.0" }],
    [{ host: "::" }],
    [{ host: "192.168.1.5" }],
    // Behind a proxy everybody comes from this machine.
    [{ host: "127.0.0.1", publicUrl: "https://ci.example.org" }],
  ])(
    "may do nothing where others can reach it, and without accounts nothing starts: %j",
    (reach) => {
      const { open, addToken, ask } = setUp(reach);
      expect(open).toThrow(
        /^Expected a user or a token before AutoBuild can be reached .*--anonymous viewer\.$/,
      );
      expect(ask().role).toBe("none");
      addToken("ci");
      open();
      expect(ask().role).toBe("none");
    },
  );

  test("may do what --anonymous says, everywhere, and that is never all", () => {
    for (const host of ["127.0.0.1", "0.0.0.0"])
      for (const anonymous of ["none", "viewer", "builder"]) {
        const { open, ask } = setUp({ host, anonymous });
        open();
        expect([host, ask().role]).toEqual([host, anonymous]);
      }
    expect(setUp({ host: "::", anonymous: "admin" }).open).toThrow(
      'Expected a role, one of none, viewer, builder, got "admin" (string).',
    );
  });
});

describe("a token", () => {
  test("is taken as bearer, as the password of Basic, and with a join", () => {
    const { open, ask, addToken } = setUp();
    open();
    const token = addToken("ci");
    const access = { role: "builder", name: "ci", grant: { type: "token", id: 1 } };
    expect(ask({ Authorization: `Bearer ${token}` })).toEqual(access);
    expect(ask({ Authorization: `bearer ${token}` })).toEqual(access);
    expect(ask({ Authorization: `Basic ${btoa(`any:${token}`)}` })).toEqual(access);
    expect(ask({}, token)).toEqual(access);
  });

  test("that is not known is refused, and not taken for nobody", () => {
    const { open, ask } = setUp();
    open();
    const refused = { role: "none", name: null, grant: { type: "refused" } };
    expect(ask({ Authorization: "Bearer x" })).toEqual(refused);
    expect(ask({ Authorization: "Bearer" })).toEqual(refused);
    expect(ask({}, "x")).toEqual(refused);
    // Another scheme is somebody else's business.
    expect(ask({ Authorization: "Digest x" }).role).toBe("admin");
  });

  test("ends with its time, and at once when it is revoked; what rested on it, too", () => {
    const { open, ask, addToken, clock, accounts, auth } = setUp();
    open();
    const short = addToken("short", clock.epochMs() + day);
    const long = addToken("long");
    const [first, second] = [ask({}, short), ask({}, long)];
    clock.advance(day - 1);
    expect(auth.renew(first).role).toBe("builder");
    clock.advance(1);
    expect(ask({}, short).grant.type).toBe("refused");
    expect(auth.renew(first).role).toBe("none");
    expect(auth.renew(second).role).toBe("builder");
    accounts.removeToken("LONG");
    expect(auth.renew(second).role).toBe("none");
  });

  test("is kept as a hash, and says when it was used", () => {
    const { open, ask, addToken, accounts, clock, database } = setUp();
    open();
    const token = addToken("ci");
    expect(token).toMatch(/^autobuild_[\w-]{43}$/);
    const all = JSON.stringify(database.prepare("SELECT * FROM token").all());
    expect(all).not.toContain(token.slice(10));
    expect(accounts.tokens()[0]?.usedMs).toBeNull();
    ask({}, token);
    expect(accounts.tokens()[0]?.usedMs).toBe(clock.epochMs());
  });

  test("of the running server opens everything, and is another one in the next", () => {
    const { open, ask, auth } = setUp({ host: "0.0.0.0", anonymous: "none" });
    open();
    expect(ask({}, auth.localToken)).toEqual({
      role: "admin",
      name: null,
      grant: { type: "local" },
    });
    expect(setUp().auth.localToken).not.toBe(auth.localToken);
  });
});

describe("a login", () => {
  test("gives a cookie that no script sees and no other site sends along, with the user's role of now", async () => {
    const { open, ask, auth, addUser } = setUp({ host: "::", anonymous: "none" });
    open();
    await addUser("Ann", "viewer");
    const result = await auth.login("ann", password, "::1");
    if (result.type !== "ok") throw new Error(result.type);
    expect(result.access).toMatchObject({ role: "viewer", name: "Ann" });
    expect(result.setCookie).toMatch(
      /^autobuild_[0-9a-f]{8}=[\w-]{43}\.[\w-]{43}; Max-Age=1209600; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    const Cookie = `other=1; ${result.setCookie.split(";")[0]}`;
    expect(ask({ Cookie })).toMatchObject({ role: "viewer", name: "Ann" });
  });

  test("behind https gives a cookie that only https carries", async () => {
    const { open, auth, addUser } = setUp({
      host: "127.0.0.1",
      publicUrl: "https://ci.example.org",
    });
    await addUser("ann");
    open();
    const result = await auth.login("ann", password, "::1");
    expect(result).toMatchObject({
      setCookie: expect.stringMatching(/^__Host-autobuild_.*; Secure$/),
    });
  });

  test("ends with its time, with a logout, with the user, and with another password", async () => {
    const { open, ask, auth, addUser, clock, accounts } = setUp({ host: "::", anonymous: "none" });
    open();
    await addUser("ann");
    const Cookie = await cookieOf(auth, "ann", password);
    clock.advance(14 * day - 1);
    expect(ask({ Cookie }).role).toBe("builder");
    clock.advance(1);
    expect(ask({ Cookie }).role).toBe("none");

    const second = { Cookie: await cookieOf(auth, "ann", password) };
    const third = { Cookie: await cookieOf(auth, "ann", password) };
    expect(auth.logout(ask(second))).toMatch(/^autobuild_\w+=; Max-Age=0;/);
    expect([ask(second).role, ask(third).role]).toEqual(["none", "builder"]);
    await addUser("ann", "viewer");
    expect(ask(third).role).toBe("none");
    const fourth = { Cookie: await cookieOf(auth, "ann", password) };
    expect(ask(fourth).role).toBe("viewer");
    accounts.removeUser("ann");
    expect(ask(fourth).role).toBe("none");
  });

  test("with a token and no name is a session of that token", async () => {
    const { open, ask, auth, addToken, accounts } = setUp({ host: "::", anonymous: "none" });
    open();
    const token = addToken("ann-s-phone");
    const Cookie = await cookieOf(auth, "", token);
    expect(ask({ Cookie })).toMatchObject({ role: "builder", name: "ann-s-phone" });
    accounts.removeToken("ann-s-phone");
    expect(ask({ Cookie }).role).toBe("none");
    expect(await auth.login("", token, "::1")).toEqual({ type: "refused" });
  });

  test("has a cookie that cannot be made: other secrets, other signatures, other servers", async () => {
    const { open, ask, auth, addUser } = setUp({ host: "::", anonymous: "none" });
    open();
    await addUser("ann");
    const Cookie = await cookieOf(auth, "ann", password);
    const [name = "", value = ""] = Cookie.split("=");
    const [secret = "", signature = ""] = value.split(".");
    const flip = (text: string): string => (text.startsWith("A") ? "B" : "A") + text.slice(1);
    for (const forged of [
      `${flip(secret)}.${signature}`,
      `${secret}.${flip(signature)}`,
      `${secret}.`,
      secret,
      `${secret}.${signature}.x`,
      "",
    ])
      expect([forged, ask({ Cookie: `${name}=${forged}` }).role]).toEqual([forged, "none"]);
    expect(setUp({ host: "::", anonymous: "none" }).ask({ Cookie }).role).toBe("none");
    expect(ask({ Cookie }).role).toBe("builder");
  });

  test("a hundred sessions of one user are kept, the oldest go first", async () => {
    const { open, accounts, addUser, clock } = setUp();
    open();
    const { id } = await addUser("ann");
    for (let index = 0; index <= 100; index++) {
      clock.advance(1);
      accounts.addSession(`s${index}`, { userId: id }, clock.epochMs(), clock.epochMs() + day);
    }
    expect(accounts.sessionOwner("s0", clock.epochMs())).toBeUndefined();
    expect(accounts.sessionOwner("s1", clock.epochMs())).toEqual({ name: "ann", role: "builder" });
  });
});

describe("guessing", () => {
  test("ends after ten failures of an address, until a quarter of an hour has gone", async () => {
    const { auth, clock, addUser, open } = setUp();
    open();
    await addUser("ann");
    for (let index = 0; index < 10; index++)
      expect(await auth.login("", `guess ${index}`, "10.0.0.1")).toEqual({ type: "refused" });
    expect(await auth.login("ann", password, "10.0.0.1")).toEqual({
      type: "tooMany",
      retryAfterMs: 15 * 60_000,
    });
    expect(await auth.login("ann", password, "10.0.0.2")).toMatchObject({ type: "ok" });
    clock.advance(15 * 60_000);
    expect(await auth.login("ann", password, "10.0.0.1")).toMatchObject({ type: "ok" });
  });

  test("from many addresses ends for the name; many at once are no way around", () => {
    const attempts = new LoginAttempts(new ManualClock());
    for (let index = 0; index < 30; index++) {
      expect(attempts.waitMs(`10.0.0.${index}`, "ann")).toBe(0);
      attempts.begin(`10.0.0.${index}`, "ANN");
    }
    expect(attempts.waitMs("10.0.1.1", "ann")).toBeGreaterThan(0);
    expect(attempts.waitMs("10.0.1.1", "bob")).toBe(0);
  });

  test("counts a /64 as one address, an IPv4 address however it is written, and success not at all", () => {
    const attempts = new LoginAttempts(new ManualClock());
    for (let index = 0; index < 10; index++) {
      attempts.begin(`2001:db8::${index}`, `u${index}`);
      attempts.begin("::ffff:10.0.0.1", `v${index}`);
      attempts.begin("10.0.0.9", "ann");
      attempts.succeeded("10.0.0.9", "ann");
    }
    expect(attempts.waitMs("2001:db8::ffff:1", "x")).toBeGreaterThan(0);
    expect(attempts.waitMs("2001:db8:0:1::1", "x")).toBe(0);
    expect(attempts.waitMs("10.0.0.1", "x")).toBeGreaterThan(0);
    expect(attempts.waitMs("10.0.0.9", "ann")).toBe(0);
  });

  test("is remembered in a table that does not grow", () => {
    const attempts = new LoginAttempts(new ManualClock(), {
      perAddress: 2,
      perUser: 2,
      windowMs: 1000,
      maxEntries: 10,
    });
    for (let index = 0; index < 100; index++) attempts.begin(`10.0.0.${index}`, `u${index}`);
    expect(attempts.size).toBe(10);
  });
});

describe("a password", () => {
  test("is kept as scrypt with its parameters, and checked by those that are kept", async () => {
    const hash = await hashPassword(password);
    expect(hash).toMatch(/^scrypt\$15\$8\$3\$[\w-]{22}\$[\w-]{43}$/);
    expect(await hashPassword(password)).not.toBe(hash);
    expect(await verifyPassword(password, hash)).toBe(true);
    expect(await verifyPassword(`${password} `, hash)).toBe(false);
    // As another version may have written it.
    const other = scryptSync("old", "", 32, { N: 16, r: 1, p: 1 }).toString("base64url");
    expect(await verifyPassword("old", `scrypt$4$1$1$$${other}`)).toBe(true);
  });

  test.each([11, 1025])("of %i characters is refused", async (length) => {
    await expect(hashPassword("x".repeat(length))).rejects.toThrow(
      `Expected a password of 12 to 1024 characters, got ${length}.`,
    );
  });

  test("is the same in both forms of Unicode", async () => {
    expect(
      await verifyPassword(
        "caf\u0065\u0301 caf\u00e9 caf\u00e9",
        await hashPassword("caf\u00e9 cafe\u0301 caf\u00e9"),
      ),
    ).toBe(true);
  });

  test("of nobody is wrong, and costs as much", async () => {
    const hash = await hashPassword(password);
    const times = { known: [] as number[], unknown: [] as number[] };
    // What it costs this process, which other programs do not add to.
    const costOf = async (of: string | undefined): Promise<number> => {
      const before = process.cpuUsage();
      expect(await verifyPassword("wrong", of)).toBe(false);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    for (let round = 0; round < 3; round++) {
      times.known.push(await costOf(hash));
      times.unknown.push(await costOf(undefined));
    }
    const ratio = Math.min(...times.known) / Math.min(...times.unknown);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });
});

describe("the key of a data folder", () => {
  test("is a file for its owner alone, made once", () => {
    const dataDir = temporaryFolder();
    const first = MasterKey.load(dataDir, {}).derive("secrets");
    expect(statSync(path.join(dataDir, "autobuild.key")).mode & 0o777).toBe(0o600);
    expect(MasterKey.load(dataDir, {}).derive("secrets")).toEqual(first);
    expect(MasterKey.load(dataDir, {}).derive("sessions")).not.toEqual(first);
  });

  test("comes from the variable, else from systemd, else from the file", () => {
    const dataDir = temporaryFolder();
    const credentials = path.join(dataDir, "credentials");
    mkdirSync(credentials);
    writeFileSync(path.join(credentials, "autobuild.key"), "ab".repeat(32));
    const of = (environment: NodeJS.ProcessEnv) =>
      MasterKey.load(dataDir, environment).derive("secrets");
    const given = of({ AUTOBUILD_KEY: "cd".repeat(32), CREDENTIALS_DIRECTORY: credentials });
    const credential = of({ CREDENTIALS_DIRECTORY: credentials });
    expect(given).not.toEqual(credential);
    expect(credential).toEqual(of({ AUTOBUILD_KEY: "ab".repeat(32) }));
    expect(of({ CREDENTIALS_DIRECTORY: dataDir })).not.toEqual(credential);
  });

  test("is refused with a sentence when others could read it, or it is none", () => {
    const dataDir = temporaryFolder();
    const file = path.join(dataDir, "autobuild.key");
    writeFileSync(file, "ab".repeat(32), { mode: 0o644 });
    expect(() => MasterKey.load(dataDir, {})).toThrow(
      `Expected ${file} to be readable for its owner alone, got mode 644. Run: chmod 600 ${file}`,
    );
    const secret = "not a key but a secret all the same";
    const load = (): unknown => MasterKey.load(dataDir, { AUTOBUILD_KEY: secret });
    expect(load).toThrow(
      /^Expected the variable AUTOBUILD_KEY to be 64 hex digits, got 35 characters\./,
    );
    expect(load).not.toThrow(secret);
  });
});
