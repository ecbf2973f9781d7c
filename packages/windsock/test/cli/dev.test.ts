import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PlainClient } from "../../src/testing/index.ts";
import { Cli, hello, project, windsock, write } from "./run-cli.ts";

function greeting(text: string): string {
  return hello.replace("Hello WebSocket!", text);
}

async function greetingAt(url: string, path: string): Promise<unknown> {
  const client = await PlainClient.open(`${url}/websocket/${path}`);
  return client.next();
}

test("a change starts the server again on the same port; clients are closed with 1012", async () => {
  const folder = await project({ "src/websocket/status.ts": greeting("one") });
  const cli = new Cli(folder, ["dev", "--port", "0"]);
  const url = await cli.url();
  const client = await PlainClient.open(`${url}/websocket/status`);
  expect(await client.next()).toBe("one");

  await write(folder, "src/websocket/status.ts", greeting("two"));
  expect((await client.closed).code).toBe(1012);
  await cli.sees(/src\/websocket\/status\.ts has changed\./);
  expect(await cli.url()).toBe(url);
  expect(await greetingAt(url, "status")).toBe("two");
  cli.signal("SIGTERM");
  expect(await cli.ended).toEqual({ code: 0, signal: null });
  expect(cli.err).toBe("");
});

test("a new file becomes a route, in a new folder too, and a removed one ceases to be", async () => {
  const folder = await project({ "src/websocket/status.ts": hello });
  const cli = new Cli(folder, ["dev", "--port", "0"]);
  const url = await cli.url();
  await write(folder, "src/websocket/room/lobby.ts", greeting("in the lobby"));
  await cli.sees(/room\/lobby +ws:/);
  expect(await greetingAt(url, "room/lobby")).toBe("in the lobby");

  await rm(join(folder, "src/websocket/room/lobby.ts"));
  await cli.sees(/Windsock listens/);
  expect((await fetch(`${url}/websocket/room/lobby`)).status).toBe(404);
});

test("what a service imports is watched too", async () => {
  const folder = await project({
    "src/greeting.ts": 'export const greeting = "one";',
    "src/websocket/status.ts": `
      import { defineService } from "windsock";
      import { greeting } from "../greeting.ts";
      export default defineService({ handleJoin: (client) => client.send(greeting) });`,
  });
  const cli = new Cli(folder, ["dev", "--port", "0"]);
  const url = await cli.url();
  await write(folder, "src/greeting.ts", 'export const greeting = "two";');
  await cli.url();
  expect(await greetingAt(url, "status")).toBe("two");
});

test("a file that throws is reported, and the next change is another try", async () => {
  const folder = await project({ "src/websocket/status.ts": 'throw new Error("not yet");' });
  const cli = new Cli(folder, ["dev", "--port", "0"]);
  await cli.complains(/status\.ts: expected a module that loads, got Error: not yet/);
  await cli.complains(/The server ended with code 1\. Waiting for a change in src\./);
  await write(folder, "src/websocket/status.ts", greeting("now"));
  expect(await greetingAt(await cli.url(), "status")).toBe("now");

  await write(folder, "src/websocket/status.ts", "export default {");
  await cli.complains(/SyntaxError/);
  await write(folder, "src/websocket/status.ts", greeting("again"));
  expect(await greetingAt(await cli.url(), "status")).toBe("again");
});

test("a server that dies on its own is reported, and a change brings it back", async () => {
  const folder = await project({
    "src/websocket/status.ts": `
      import { defineService } from "windsock";
      export default defineService({ handleJoin: () => process.exit(7) });`,
  });
  const cli = new Cli(folder, ["dev", "--port", "0"]);
  const url = await cli.url();
  await PlainClient.open(`${url}/websocket/status`).catch(() => {});
  await cli.complains(/The server ended with code 7\./);
  await write(folder, "src/websocket/status.ts", greeting("back"));
  expect(await cli.url()).toBe(url);
});

test("a server that hangs, while it loads or in a callback, is replaced", async () => {
  const folder = await project({
    "src/websocket/status.ts": 'console.log("hanging"); for (;;);',
  });
  const cli = new Cli(folder, ["dev", "--port", "0", "--drain-timeout-ms", "200"]);
  await cli.sees(/hanging/);
  await write(
    folder,
    "src/websocket/status.ts",
    `
      import { defineService } from "windsock";
      export default defineService({ handleJoin() { console.log("caught"); for (;;); } });`,
  );
  const url = await cli.url();
  void PlainClient.open(`${url}/websocket/status`).catch(() => {});
  await cli.sees(/caught/);
  await write(folder, "src/websocket/status.ts", greeting("free"));
  await cli.url();
  expect(await greetingAt(url, "status")).toBe("free");
});

test("pages are read anew for each request", async () => {
  const folder = await project({ "src/websocket/status.ts": hello, "public/index.html": "one" });
  const url = await new Cli(folder, ["dev", "--port", "0"]).url();
  expect(await (await fetch(url)).text()).toBe("one");
  await write(folder, "public/index.html", "the second");
  expect(await (await fetch(url)).text()).toBe("the second");
  expect((await fetch(`${url}/nope.html`)).status).toBe(404);
});

test("a folder of services outside src is watched", async () => {
  const folder = await project({ "server/status.ts": greeting("one") });
  const cli = new Cli(folder, ["dev", "--port", "0", "--services", "server"]);
  const url = await cli.url();
  await write(folder, "server/status.ts", greeting("two"));
  await cli.url();
  expect(await greetingAt(url, "status")).toBe("two");
});

test("in a TypeScript project the names of the services are kept for the compiler", async () => {
  const folder = await project({ "src/websocket/status.ts": hello, "tsconfig.json": "{}" });
  const cli = new Cli(folder, ["dev", "--port", "0"]);
  await cli.sees(/src\/windsock\.d\.ts is written\./);
  await cli.url();
  await write(folder, "src/websocket/lobby.ts", hello);
  await cli.sees(/lobby\.ts has changed\.\nsrc\/windsock\.d\.ts is written\./);
  await cli.url();
  const text = await readFile(join(folder, "src/windsock.d.ts"), "utf8");
  expect(text).toContain('lobby: typeof import("./websocket/lobby.ts").default;');
  expect(text).toContain('status: typeof import("./websocket/status.ts").default;');

  // What it writes itself is no change; what somebody else does is the next one.
  await write(folder, "src/other.ts", "");
  const [seen] = await cli.sees(/\S+ has changed\./);
  expect(seen).toBe("src/other.ts has changed.");
});

test("what no change of a file can mend ends it, with exit code 1", async () => {
  const folder = await project({});
  const missing = await windsock(folder, ["dev", "--port", "0"]);
  expect(missing.err).toMatch(/^Expected a folder src with services in src\/websocket, got none\./);
  expect(missing.code).toBe(1);

  await mkdir(join(folder, "src/websocket"), { recursive: true });
  const base = await windsock(folder, ["dev", "--port", "0", "--base", "app"]);
  expect(base.err).toMatch(/^Expected `base` to be a path/);
  expect(base.code).toBe(1);
});

test("the server does not outlive a parent that was killed", async () => {
  const folder = await project({
    "src/websocket/status.ts": `
      import { defineService } from "windsock";
      export default defineService({ init: () => console.log("pid", process.pid) });`,
  });
  const cli = new Cli(folder, ["dev", "--port", "0"]);
  const url = await cli.url();
  const client = await PlainClient.open(`${url}/websocket/status`);
  const [, pid] = /pid (\d+)/.exec(cli.out) ?? [];
  expect(Number(pid)).not.toBe(cli.pid);
  cli.signal("SIGKILL");
  expect((await client.closed).code).toBe(1012);
  // Its output ends when the last process that holds it has ended.
  await cli.ended;
});
