import { describe, expect, test } from "vitest";
import { namesFile } from "./names-file.ts";
import { routesFromFiles } from "./routes.ts";

const importPrefix = "./src/websocket";

/** The lines between the braces of `Services`. */
function entries(text: string): string[] {
  return text.split("\n").filter((line) => line.startsWith("    "));
}

test("the file declares each service by name, and is a module", () => {
  const routes = routesFromFiles(["status.ts", "room/[id].ts", "shop_cart_websocket.ts"]);
  expect(namesFile(routes, { importPrefix })).toBe(
    `// The names of the services in ./src/websocket/. Windsock writes this file: changes to it are lost.
declare module "windsock" {
  interface Services {
    cart: typeof import("./src/websocket/shop_cart_websocket.ts").default;
    "room/[id]": typeof import("./src/websocket/room/[id].ts").default;
    status: typeof import("./src/websocket/status.ts").default;
  }
}
export {};
`,
  );
});

test("an app without services gets a file that says so", () => {
  expect(namesFile([], { importPrefix })).toContain("  interface Services {}\n");
});

test("the order of the routes makes no difference", () => {
  const routes = routesFromFiles(["b.ts", "B.ts", "a/b.ts", "a-b.ts", "a.ts", "[id].ts"]);
  expect(namesFile(routes.toReversed(), { importPrefix })).toBe(
    namesFile(routes, { importPrefix }),
  );
});

describe("names", () => {
  test.each([
    ["status", "status"],
    ["a_b$1", "a_b$1"],
    ["class", "class"],
    ["a-b", '"a-b"'],
    ["404", '"404"'],
    ["1st", '"1st"'],
    ["room/[id]", '"room/[id]"'],
    ["", '""'],
    ['say "hi"\\n', '"say \\"hi\\"\\\\n"'],
    ["two\nlines", '"two\\nlines"'],
    ["__proto__", "__proto__"],
  ])("%j is the property %s", (name, property) => {
    expect(entries(namesFile([{ name, file: "x.ts" }], { importPrefix }))).toEqual([
      `    ${property}: typeof import("./src/websocket/x.ts").default;`,
    ]);
  });
});

describe("paths", () => {
  test.each([
    ["./src/websocket", "./src/websocket/"],
    ["./src/websocket/", "./src/websocket/"],
    ["src/websocket", "./src/websocket/"],
    ["../app/ws", "../app/ws/"],
    [".", "./"],
    ["..", "../"],
    ["", "./"],
    [".hidden", "./.hidden/"],
    ["src\\websocket", "./src/websocket/"],
    ["/srv/app", "/srv/app/"],
  ])("the folder %j is %s", (prefix, folder) => {
    const routes = [{ name: "a", file: "b\\[c].mts" }];
    expect(entries(namesFile(routes, { importPrefix: prefix }))).toEqual([
      `    a: typeof import("${folder}b/[c].mts").default;`,
    ]);
  });

  test.each(["\n", "\r", "\u2028"])("a folder with %j in it cannot end its comment", (lineEnd) => {
    const text = namesFile([], { importPrefix: `./a${lineEnd}export const b = 1;` });
    expect(text).not.toContain(`${lineEnd}export const`);
    expect(text.split("\n")[1]).toBe('declare module "windsock" {');
  });
});
