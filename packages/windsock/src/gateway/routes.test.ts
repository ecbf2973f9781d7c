import { describe, expect, test } from "vitest";
import { OptionError, RouteError } from "../errors.ts";
import { normalizeBase, routeFromName, routesFromFiles } from "./routes.ts";

const paths = (files: string[], base?: string) =>
  routesFromFiles(files, base === undefined ? {} : { base }).map((route) => route.path);
const refusal = (...files: string[]): string => {
  try {
    routesFromFiles(files);
  } catch (error) {
    expect(error).toBeInstanceOf(RouteError);
    return (error as RouteError).message;
  }
  throw new Error("nothing was refused");
};

describe("a file's URL", () => {
  test("is made from the file's name", () => {
    expect(routesFromFiles(["status.ts"])).toEqual([
      {
        name: "status",
        file: "status.ts",
        params: [],
        path: "/websocket/status",
        segments: [{ type: "static", text: "status" }],
      },
    ]);
  });

  test.each([
    ["ab_status_websocket.ts", "status"],
    ["ab_build_log_websocket.ts", "build_log"],
    ["ci/ab_status_websocket.ts", "ci/status"],
    ["ab_[id]_websocket.ts", "[id]"],
    ["status_websocket.ts", "status_websocket"],
    ["ab_status.ts", "ab_status"],
    ["websocket.ts", "websocket"],
  ])("drops the app and the suffix of the long form only: %s is %s", (file, name) => {
    expect(routesFromFiles([file])[0]).toMatchObject({ name, file });
  });

  test("has a key where the file's name is in brackets, at any depth", () => {
    expect(routesFromFiles(["a/[x]/[y].ts"])[0]).toEqual({
      name: "a/[x]/[y]",
      file: "a/[x]/[y].ts",
      params: ["x", "y"],
      path: "/websocket/a/:x/:y",
      segments: [
        { type: "static", text: "a" },
        { type: "key", param: "x" },
        { type: "key", param: "y" },
      ],
    });
  });

  test("lies below the base", () => {
    expect(paths(["room/[id].ts"], "/app/")).toEqual(["/app/websocket/room/:id"]);
  });

  test("does not depend on the order in which a folder lists its files, nor on its separator", () => {
    const expected = ["/websocket/a", "/websocket/b/c"];
    expect(paths(["b\\c.ts", "a.ts"])).toEqual(expected);
    expect(paths(["a.ts", "b/c.ts"])).toEqual(expected);
  });

  test.each(["a.ts", "a.mts", "a.js", "a.mjs"])("is made from %s", (file) => {
    expect(paths([file])).toEqual(["/websocket/a"]);
  });

  test.each([
    "a.d.ts",
    "a.d.mts",
    "a.test.ts",
    "a.test.js",
    "a.test-d.ts",
    "a.spec.ts",
    "_a.ts",
    "_lib/a.ts",
    ".a.ts",
    ".git/a.ts",
    "a.cts",
    "a.tsx",
    "README.md",
    "ts",
  ])("is not made from %s", (file) => {
    expect(paths([file])).toEqual([]);
  });
});

describe("two files for one URL are refused by both their paths", () => {
  test.each([
    ["status.js", "status.ts"],
    ["ab_status_websocket.ts", "status.ts"],
    ["ab_status_websocket.ts", "cd_status_websocket.ts"],
    ["room/[id].ts", "room/[name].ts"],
    ["a/[x]/b.ts", "a/[y]/b.ts"],
  ])("%s and %s", (first, second) => {
    const message = refusal(second, first);
    expect(message).toContain(`${first} and ${second} both answer at /websocket/`);
    expect(refusal(first, second)).toBe(message);
  });

  test("but keys may have other names where the URLs differ", () => {
    expect(paths(["[x]/b.ts", "[y]/c.ts"])).toEqual(["/websocket/:x/b", "/websocket/:y/c"]);
  });

  test("and a static name may stand beside a key", () => {
    expect(paths(["room/[id].ts", "room/lobby.ts"])).toHaveLength(2);
  });
});

describe("a name that no URL should have is refused", () => {
  test.each(["sta tus.ts", "café.ts", "a.b.ts", "a%2Fb.ts", "a+b.ts", "a?b.ts", "a:b.ts"])(
    "%s",
    (file) =>
      expect(refusal(file)).toMatch(/expected names that a URL can be made from.*Rename it/),
  );

  test.each([
    "[].ts",
    "[id.ts",
    "[...rest].ts",
    "[[id]].ts",
    "room-[id].ts",
    "[1].ts",
    "[__proto__].ts",
  ])("%s", (file) =>
    expect(refusal(file)).toMatch(/expected a key to be a whole name in brackets/),
  );

  test("[x]/[x].ts, which has one key twice", () => {
    expect(refusal("[x]/[x].ts")).toContain("got `[x]` twice");
  });

  test("all of them together", () => {
    expect(refusal("a b.ts", "c d.ts", "e.ts", "e.js").split("\n")).toHaveLength(3);
  });
});

describe("base", () => {
  test.each([
    [undefined, ""],
    ["", ""],
    ["/", ""],
    ["/app", "/app"],
    ["/app/", "/app"],
    ["/a/b.c~d_e-f", "/a/b.c~d_e-f"],
  ])("%j is %j", (base, expected) => expect(normalizeBase(base)).toBe(expected));

  test.each(["app", "//", "/a//b", "/a b", "/a?b", "/..", "/a/./b", "http://x/", "/%41"])(
    "%j is refused",
    (base) => expect(() => normalizeBase(base)).toThrow(OptionError),
  );
});

test("a service without a file has a route by its name", () => {
  expect(routeFromName("room/[id]", { base: "/app" })).toMatchObject({
    file: "room/[id]",
    params: ["id"],
    path: "/app/websocket/room/:id",
  });
  expect(() => routeFromName("a b")).toThrow(RouteError);
  expect(() => routeFromName("")).toThrow(RouteError);
});
