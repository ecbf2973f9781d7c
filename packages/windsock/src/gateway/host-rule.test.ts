import { describe, expect, test } from "vitest";
import { attempt, refusal } from "../../test/admission-rig.ts";

describe("Host (RFC 9112, section 3.2)", () => {
  test("is there once", () => {
    expect(refusal({ headers: { Host: null } })).toMatchObject({ status: 400 });
    const twice = refusal({ headers: { Host: ["localhost", "localhost"] } });
    expect(twice).toMatchObject({ status: 400 });
    expect(twice.body).toContain("exactly one Host header field, got 2");
    expect(refusal({ headers: { host: "localhost" } }).status).toBe(400);
  });

  test.each([
    "",
    " ",
    "a b",
    "user@localhost",
    "localhost:x",
    "localhost:123456",
    "localhost:65536",
    "[::1",
    "::1",
    "localhost/",
    "a,b",
    "256.1.1.1",
    "[1:2]",
    "lo%63alhost",
    "ä.localhost",
  ])("is well-formed: %j is not", (Host) =>
    expect(refusal({ headers: { Host } }).status).toBe(400),
  );

  test.each([
    "localhost",
    "LOCALHOST:1",
    "localhost.",
    "a.localhost:8001",
    "127.0.0.1",
    "127.9.9.9:80",
    "[::1]:8001",
    "[::ffff:127.0.0.1]",
    "127.1",
    "2130706433",
  ])("is any loopback name where the server is bound to loopback: %s", (Host) =>
    expect(attempt({ headers: { Host } }).type).toBe("admit"),
  );

  test.each([
    "evil.example",
    "localhost.evil.example",
    "notlocalhost",
    "10.0.0.1",
    "127.0.0.1.evil.example",
    "[::2]",
    "[::ffff:8.8.8.8]",
  ])("is no other name there (DNS rebinding): %s", (Host) => {
    for (const host of ["localhost", "127.0.0.1", "::1"]) {
      expect(refusal({ headers: { Host }, options: { host } }).status).toBe(403);
    }
    expect(refusal({ headers: { Host } }).body).toContain("`allowedHosts`");
  });

  test("is any name where the server is bound to the world and nothing is listed", () => {
    for (const host of ["0.0.0.0", "::", "10.0.0.1"]) {
      expect(attempt({ headers: { Host: "any.example" }, options: { host } }).type).toBe("admit");
    }
  });

  test("is a listed name or a loopback name once some are listed", () => {
    const options = {
      host: "0.0.0.0",
      allowedHosts: ["Build.example", ".ci.example", "[2001:DB8::1]"],
    };
    for (const Host of [
      "build.example:8001",
      "BUILD.EXAMPLE.",
      "ci.example",
      "a.b.ci.example",
      "localhost",
      "[2001:db8:0::1]",
    ]) {
      expect(attempt({ headers: { Host }, options }).type).toBe("admit");
    }
    for (const Host of ["a.build.example", "xci.example", "ci.example.evil", "evil.example"]) {
      expect(refusal({ headers: { Host }, options }).status).toBe(403);
    }
    expect(attempt({ headers: { Host: "any.example" }, options: { allowedHosts: "*" } }).type).toBe(
      "admit",
    );
  });
});
