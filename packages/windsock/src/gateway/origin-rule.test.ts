import { describe, expect, test } from "vitest";
import { attempt, type Attempt } from "../../test/admission-rig.ts";

describe("Origin (RFC 6455, section 10.2)", () => {
  const from = (Origin: string | string[], given: Attempt = {}) =>
    attempt({ ...given, headers: { ...given.headers, Origin } });

  test("may be absent: what sends none is no browser", () => expect(attempt().type).toBe("admit"));

  test.each(["http://localhost:8001", "HTTP://LocalHost:8001"])(
    "is the server's own: %s",
    (origin) => expect(from(origin).type).toBe("admit"),
  );

  test("has the scheme's port where it names none", () => {
    expect(from("http://localhost", { headers: { Host: "localhost:80" } }).type).toBe("admit");
    expect(from("http://localhost:80", { headers: { Host: "localhost" } }).type).toBe("admit");
    expect(from("https://localhost", { headers: { Host: "localhost" }, secure: true }).type).toBe(
      "admit",
    );
    expect(from("https://localhost", { headers: { Host: "localhost" } }).type).toBe("refuse");
  });

  test.each([
    "http://localhost",
    "http://localhost:8002",
    "https://localhost:8001",
    "http://127.0.0.1:8001",
    "http://localhost:8001.evil.example",
    "http://evil.example",
    "http://localhost:8001@evil.example",
    "http://localhost:8001/",
    "http://localhost:8001/path",
    "http://localhost:8001 http://localhost:8001",
    "//localhost:8001",
    "localhost:8001",
    "file://",
    "null",
    "",
  ])("is no other: %j", (origin) => expect(from(origin)).toMatchObject({ status: 403 }));

  test("is there at most once", () => {
    const own = "http://localhost:8001";
    expect(from([own, own])).toMatchObject({ status: 400 });
    expect(from([own, own], { options: { origins: "*" } })).toMatchObject({ status: 400 });
  });

  test("is a listed one, compared whole", () => {
    const options = { origins: ["https://App.example", "chrome-extension://abc"] };
    for (const origin of [
      "https://app.example",
      "https://app.example:443",
      "chrome-extension://abc",
      "http://localhost:8001",
    ]) {
      expect(from(origin, { options }).type).toBe("admit");
    }
    for (const origin of [
      "http://app.example",
      "https://app.example:444",
      "https://x.app.example",
      "https://app.example.evil",
      "chrome-extension://abd",
      "null",
    ]) {
      expect(from(origin, { options })).toMatchObject({ status: 403 });
    }
  });

  test("is any with `*`, a sandboxed page's too", () => {
    for (const origin of ["https://any.example", "null"]) {
      expect(from(origin, { options: { origins: "*" } }).type).toBe("admit");
    }
  });

  test("that is foreign is told what to add", () => {
    expect(from("https://app.example")).toMatchObject({
      body: expect.stringContaining(
        'add "https://app.example" to the server\'s option `origins`',
      ) as string,
    });
  });
});
