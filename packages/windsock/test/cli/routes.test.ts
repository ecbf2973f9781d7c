import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hello, project, windsock } from "./run-cli.ts";

test("windsock routes lists name, URL, file and keys without running a file", async () => {
  const folder = await project({
    "src/websocket/status.ts": 'throw new Error("run");',
    "src/websocket/ab_builds_websocket.ts": hello,
    "src/websocket/room/[id].ts": hello,
    "src/websocket/_shared.ts": "",
  });
  const { code, out, err } = await windsock(folder, ["routes"]);
  expect(err).toBe("");
  expect(code).toBe(0);
  expect(out).toBe(
    [
      "NAME        URL                   FILE                     KEYS",
      "builds      /websocket/builds     ab_builds_websocket.ts",
      "room/[id]   /websocket/room/:id   room/[id].ts             id",
      "status      /websocket/status     status.ts",
      "",
    ].join("\n"),
  );
});

test("windsock routes --json has the same for programs, below a base", async () => {
  const folder = await project({ "services/room/[id].ts": hello });
  const args = ["routes", "--json", "--services", "services", "--base", "/app"];
  const { out } = await windsock(folder, args);
  expect(JSON.parse(out)).toEqual([
    { name: "room/[id]", path: "/app/websocket/room/:id", file: "room/[id].ts", params: ["id"] },
  ]);
});

test("windsock routes names both files of a URL that is claimed twice", async () => {
  const folder = await project({
    "src/websocket/status.ts": hello,
    "src/websocket/ab_status_websocket.ts": hello,
  });
  const { code, out, err } = await windsock(folder, ["routes"]);
  expect(err).toContain("ab_status_websocket.ts and status.ts both answer at /websocket/status");
  expect(out).toBe("");
  expect(code).toBe(1);
});

test("windsock routes says how to begin where there is no folder, and when it is empty", async () => {
  const missing = await windsock(await project({}), ["routes"]);
  expect(missing.err).toContain("Create the first service, src/websocket/status.ts:");
  expect(missing.code).toBe(1);

  const empty = await windsock(await project({ "src/websocket/_shared.ts": "" }), ["routes"]);
  expect(empty).toEqual({ code: 0, out: "There is no service in src/websocket yet.\n", err: "" });
});

test("windsock routes --types writes the names for the compiler, when they have changed", async () => {
  const folder = await project({ "src/websocket/room/[id].ts": hello });
  const file = join(folder, "types/windsock.d.ts");
  const args = ["routes", "--types", "types/windsock.d.ts"];
  const first = await windsock(folder, args);
  expect(first).toEqual({ code: 0, out: "types/windsock.d.ts is written.\n", err: "" });
  const text = await readFile(file, "utf8");
  expect(text).toContain('"room/[id]": typeof import("../src/websocket/room/[id].ts").default;');
  const { mtimeMs } = await stat(file);
  const second = await windsock(folder, args);
  expect(second.out).toBe("types/windsock.d.ts is up to date.\n");
  expect((await stat(file)).mtimeMs).toBe(mtimeMs);
});
