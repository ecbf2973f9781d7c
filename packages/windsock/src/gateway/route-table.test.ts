import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RouteError } from "../errors.ts";
import { maxKeyBytes, RouteTable } from "./route-table.ts";
import { routesFromFiles } from "./routes.ts";

const tableOf = (...files: string[]) => new RouteTable(routesFromFiles(files));
const table = tableOf("status.ts", "room/[id].ts", "room/lobby.ts", "a/[x]/[y].ts", "[any]/x.ts");
const match = (path: string) => table.match(`/websocket/${path}`);
const reason = (path: string) => {
  const found = match(path);
  if (found.type !== "bad") throw new Error(`expected ${path} to be bad, got ${found.type}`);
  return found.reason;
};

describe("a path", () => {
  test("names a service, or one actor of a keyed one", () => {
    expect(match("status")).toMatchObject({ type: "service", params: {}, address: "status" });
    expect(match("room/42")).toMatchObject({
      type: "service",
      route: { name: "room/[id]" },
      params: { id: "42" },
      address: "room/42",
    });
    expect(match("a/1/2")).toMatchObject({ params: { x: "1", y: "2" }, address: "a/1/2" });
  });

  test("names the static service where a key would do too", () => {
    expect(match("room/lobby")).toMatchObject({ route: { name: "room/lobby" }, params: {} });
    expect(match("room/lobb%79")).toMatchObject({ address: "room/lobby", params: {} });
    // `room` has no `x.ts`, so its key comes first; other folders fall to `[any]/x.ts`.
    expect(match("room/x")).toMatchObject({ params: { id: "x" } });
    expect(match("else/x")).toMatchObject({ params: { any: "else" } });
  });

  test("is decoded once, after it was split", () => {
    expect(match("room/a%2Fb")).toMatchObject({ params: { id: "a/b" }, address: "room/a%2Fb" });
    expect(match("room/a%2fb")).toMatchObject({ address: "room/a%2Fb" });
    expect(match("room/%2541")).toMatchObject({ params: { id: "%41" }, address: "room/%2541" });
    expect(match("room%2F42")).toEqual({ type: "none", within: true });
  });

  test("in several spellings is one actor", () => {
    const spellings = ["caf%C3%A9%20!", "café%20%21", "%63af%c3%a9 !"].map((key) =>
      match(`room/${key}`),
    );
    expect(spellings.map((each) => each.type === "service" && each.address)).toEqual([
      "room/caf%C3%A9%20!",
      "room/caf%C3%A9%20!",
      "room/caf%C3%A9%20!",
    ]);
  });

  test("of nobody is none, below our root or elsewhere", () => {
    for (const path of [
      "statsu",
      "room",
      "room/1/2",
      "Status",
      "status/x/y",
      "__proto__",
      "constructor",
    ]) {
      expect(match(path)).toEqual({ type: "none", within: true });
    }
    for (const path of [
      "",
      "/",
      "/websockets",
      "/status",
      "/websocketstatus",
      "/%77ebsocket/status",
    ]) {
      expect(table.match(path)).toEqual({ type: "none", within: false });
    }
  });

  test("with a last slash is nobody's, and says whose it would be without", () => {
    expect(match("status/")).toEqual({ type: "none", within: true, hint: "/websocket/status" });
    expect(match("")).toEqual({ type: "none", within: true, hint: "/websocket" });
    expect(match("room/42/")).toMatchObject({ hint: "/websocket/room/42" });
    expect(match("nobody/")).toEqual({ type: "none", within: true });
    expect(match("status//")).toEqual({ type: "none", within: true });
  });

  test("of the root is the endpoint that carries many services", () => {
    expect(table.match("/websocket")).toEqual({ type: "multiplex" });
  });

  test("is looked for below the base only", () => {
    const based = new RouteTable(routesFromFiles(["status.ts"], { base: "/app" }), {
      base: "/app",
    });
    expect(based.match("/app/websocket/status")).toMatchObject({ address: "status" });
    expect(based.match("/app/websocket")).toEqual({ type: "multiplex" });
    expect(based.match("/websocket/status")).toEqual({ type: "none", within: false });
  });
});

describe("a key", () => {
  test(`has at most ${maxKeyBytes} bytes of UTF-8`, () => {
    expect(match(`room/${"x".repeat(128)}`)).toMatchObject({ type: "service" });
    expect(reason(`room/${"x".repeat(129)}`)).toContain("at most 128 bytes of UTF-8, got 129");
    expect(match(`room/${encodeURIComponent("é".repeat(64))}`)).toMatchObject({ type: "service" });
    expect(reason(`room/${encodeURIComponent("é".repeat(65))}`)).toContain("got 130");
  });

  test("is not empty", () => {
    expect(reason("a//y")).toContain("1 to 128 bytes of UTF-8, got nothing");
    expect(reason("/x")).toContain("`any`");
  });

  test.each(["%00", "%0A", "a%0D", "%1b[2J", "%7F", "%C2%80"])(
    "has no control characters: %s",
    (key) => expect(reason(`room/${key}`)).toContain("free of control characters"),
  );

  test.each(["%", "%4", "%zz", "%ff", "%C3%28", "%ED%A0%80", "%C0%AF"])(
    "is valid UTF-8: %s",
    (key) => {
      expect(reason(`room/${key}`)).toContain("Expected percent-encoded UTF-8");
      expect(reason(`${key}/nobody/at/all`)).toContain("Expected percent-encoded UTF-8");
    },
  );

  test("has no lone surrogate, which no URL carries", () => {
    expect(reason("room/\ud800")).toContain("well-formed Unicode");
  });

  test.each([".", "..", "%2e", "%2E.", ".%2e"])("is no step in a tree: %s", (key) =>
    expect(reason(`room/${key}`)).toContain("something that a URL can carry"),
  );

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty", "prototype"])(
    "may be called %s",
    (key) => {
      const found = match(`room/${key}`);
      expect(found).toMatchObject({ type: "service", address: `room/${key}` });
      expect(found.type === "service" && found.params["id"]).toBe(key);
      expect(table.addressOf("room/[id]", { id: key })).toBe(`room/${key}`);
    },
  );

  test("may have a name like `constructor` in the file, and stays an own property", () => {
    const odd = tableOf("[constructor].ts");
    const found = odd.match("/websocket/x");
    expect(found.type === "service" && Object.entries(found.params)).toEqual([
      ["constructor", "x"],
    ]);
    expect(() => odd.addressOf("[constructor]", {})).toThrow("got undefined for `constructor`");
  });
});

describe("an address", () => {
  test("is made from a name and keys", () => {
    expect(table.addressOf("status")).toBe("status");
    expect(table.addressOf("a/[x]/[y]", { x: "1/2", y: "ü" })).toBe("a/1%2F2/%C3%BC");
  });

  test("is read like a path, without the root", () => {
    expect(table.parseAddress("room/42")).toEqual(match("room/42"));
    expect(table.parseAddress("statsu")).toEqual({ type: "none", within: true });
    expect(table.parseAddress("room/50%").type).toBe("bad");
    expect(table.parseAddress("").type).toBe("none");
  });

  test.each([
    ["statsu", {}, 'Expected the name of a service, got "statsu"'],
    ["__proto__", {}, "Expected the name of a service"],
    ["status", { id: "1" }, 'Expected no keys to address status, got a key "id"'],
    ["room/[id]", {}, "Expected a string for each of `id` to address room/[id], got undefined"],
    ["room/[id]", { id: "1", x: "2" }, 'got a key "x"'],
    ["room/[id]", { id: "" }, "got nothing"],
    ["room/[id]", { id: "x".repeat(129) }, "got 129"],
    ["room/[id]", { id: "\ud800" }, "well-formed"],
    ["room/[id]", { id: ".." }, "a URL can carry"],
    [
      "room/[id]",
      { id: "lobby" },
      'no other service has taken, got "room/lobby", which is room/lobby.ts',
    ],
    ["[any]/x", { any: "room" }, "which is room/[id].ts"],
  ])("is refused for %s with %j", (name, params, message) => {
    expect(() => table.addressOf(name, params)).toThrow(RouteError);
    expect(() => table.addressOf(name, params)).toThrow(message);
  });

  test("of keys that are no strings is refused", () => {
    const params = { id: 42 } as unknown as Record<string, string>;
    expect(() => table.addressOf("room/[id]", params)).toThrow("got number for `id`");
  });

  const key = fc
    .string({ unit: "binary", minLength: 1, maxLength: 40 })
    .filter(
      (text) =>
        !/\p{Cc}/u.test(text) && text !== "." && text !== ".." && Buffer.byteLength(text) <= 128,
    );

  test("leads back to the same keys, through the URL of a browser too", () => {
    const keyed = tableOf("room/[id].ts", "a/[x]/[y].ts");
    fc.assert(
      fc.property(key, key, (x, y) => {
        const address = keyed.addressOf("a/[x]/[y]", { x, y });
        const { pathname } = new URL(`http://localhost${keyed.root}/${address}`);
        for (const found of [keyed.parseAddress(address), keyed.match(pathname)]) {
          expect(found).toMatchObject({ type: "service", address, params: { x, y } });
        }
      }),
    );
  });

  test("of different keys is different", () => {
    fc.assert(
      fc.property(key, key, (x, y) => {
        fc.pre(x !== y);
        expect(table.addressOf("a/[x]/[y]", { x, y })).not.toBe(
          table.addressOf("a/[x]/[y]", { x: y, y: x }),
        );
      }),
    );
  });

  test("is canonical: reading it gives it back, whatever came in", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const found = table.match(`/websocket/room/${text}`);
        if (found.type !== "service") return;
        expect(table.parseAddress(found.address)).toEqual(found);
        expect(table.addressOf(found.route.name, found.params)).toBe(found.address);
      }),
    );
  });
});

test("a table refuses two routes for one place", () => {
  const routes = [...routesFromFiles(["room/[id].ts"]), ...routesFromFiles(["room/[name].ts"])];
  expect(() => new RouteTable(routes)).toThrow("got room/[id].ts and room/[name].ts for room/:");
});

test("a long hostile path costs no more than its length and the routes", () => {
  const pairs = (x: string, y: string) => [
    `a/a/${y}`,
    `a/[${x}]/${y}`,
    `[${x}]/a/${y}`,
    `[${x}]/[b]/${y}`,
  ];
  const many = tableOf(...pairs("x", "a.ts"), ...pairs("x", "[y].ts"));
  expect(many.match(`/websocket/${"a/".repeat(10_000)}a`)).toEqual({ type: "none", within: true });
  expect(many.match(`/websocket${"/".repeat(20_000)}`)).toEqual({ type: "none", within: true });
});
