import { sign } from "cookie-signature";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OptionError } from "../errors.ts";
import {
  checkSessionSecret,
  newSessionId,
  SessionCookies,
  type SessionSecret,
} from "./session-cookie.ts";

const secret = "s".repeat(32);
const other = "o".repeat(32);
const id = "AAAAAAAAAAAAAAAAAAAAAA";
const readSession = (header: string | undefined, secrets: SessionSecret) =>
  new SessionCookies(secrets).read(header);
const sessionCookie = (
  session: string,
  secrets: SessionSecret,
  options: { secure: boolean; base?: string },
) => new SessionCookies(secrets, options.base).write(session, options.secure);
/** What a browser sends back of a Set-Cookie. */
const pairOf = (setCookie: string) => setCookie.split(";", 1)[0] ?? "";
const pair = pairOf(sessionCookie(id, secret, { secure: false }));

test("an id is 128 random bits in base64url", () => {
  const ids = Array.from({ length: 1000 }, newSessionId);
  expect(new Set(ids).size).toBe(1000);
  for (const each of ids) expect(each).toMatch(/^[A-Za-z0-9_-]{22}$/);
});

test("the cookie is signed, for HTTP only, and stays with the site", () => {
  expect(sessionCookie(id, secret, { secure: false })).toBe(
    `windsock_session=${encodeURIComponent(sign(id, secret))}; Path=/; HttpOnly; SameSite=Lax`,
  );
  expect(sessionCookie(id, secret, { secure: true, base: "/app" })).toBe(
    `windsock_session=${encodeURIComponent(sign(id, secret))}; Path=/app; HttpOnly; Secure; SameSite=Lax`,
  );
  expect(sessionCookie(id, secret, { secure: false, base: "" })).toContain("; Path=/;");
});

describe("reading", () => {
  test("gives back the session, among other cookies", () => {
    expect(readSession(pair, secret)).toBe(id);
    expect(readSession(`a=1; ${pair};b=2`, secret)).toBe(id);
  });

  test("gives nothing without a cookie of ours", () => {
    for (const header of [
      undefined,
      "",
      "a=1",
      "windsock_session",
      "windsock_session=",
      `x${pair}`,
      pair.toUpperCase(),
    ]) {
      expect(readSession(header, secret)).toBeUndefined();
    }
  });

  test("gives nothing where id or signature was changed", () => {
    expect(readSession(pair.replace("=A", "=B"), secret)).toBeUndefined();
    expect(readSession(pair, other)).toBeUndefined();
    expect(readSession(pair.slice(0, -1), secret)).toBeUndefined();
    expect(readSession(`${pair}x`, secret)).toBeUndefined();
    expect(readSession(`windsock_session=${id}`, secret)).toBeUndefined();
    expect(readSession(`windsock_session=${id}.`, secret)).toBeUndefined();
  });

  test("gives nothing for what we signed but is no session of ours", () => {
    for (const value of ["", "x", `${id}A`, "__proto__", "<script>aaaaaaaaaaaaaa"]) {
      expect(
        readSession(`windsock_session=${encodeURIComponent(sign(value, secret))}`, secret),
      ).toBeUndefined();
    }
  });

  test("gives the first that is signed, where a neighbour has set another", () => {
    const forged = "windsock_session=evil";
    const second = pairOf(sessionCookie("BBBBBBBBBBBBBBBBBBBBBB", secret, { secure: false }));
    expect(readSession(`${forged}; ${pair}; ${second}`, secret)).toBe(id);
  });

  test("looks at eight of our name, and at none that is too long", () => {
    const forged = "windsock_session=evil";
    expect(readSession(`${`${forged};`.repeat(7)}${pair}`, secret)).toBe(id);
    expect(readSession(`${`${forged};`.repeat(8)}${pair}`, secret)).toBeUndefined();
    expect(readSession(`windsock_session=${"x".repeat(100_000)}; ${pair}`, secret)).toBe(id);
  });

  test("never throws, and believes nothing that it did not sign", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (header, value) => {
        expect(readSession(header, secret)).toBeUndefined();
        expect(readSession(`windsock_session=${value}`, secret)).toBeUndefined();
      }),
    );
  });
});

describe("secrets", () => {
  test("are replaced without a gap: the first signs, each is believed", () => {
    expect(readSession(pair, [other, secret])).toBe(id);
    const renewed = pairOf(sessionCookie(id, [other, secret], { secure: false }));
    expect(readSession(renewed, other)).toBe(id);
    expect(readSession(renewed, secret)).toBeUndefined();
  });

  test("have at least 32 characters, and there is one", () => {
    expect(checkSessionSecret(secret)).toEqual([secret]);
    for (const bad of ["", "s".repeat(31), [], [secret, ""]]) {
      expect(() => checkSessionSecret(bad)).toThrow(OptionError);
      expect(() => sessionCookie(id, bad, { secure: false })).toThrow(OptionError);
    }
  });
});
