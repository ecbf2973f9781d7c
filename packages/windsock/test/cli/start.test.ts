import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PlainClient } from "../../src/testing/index.ts";
import { Cli, hello, project, windsock } from "./run-cli.ts";

/** Ends slowly, and says when it has begun to. */
const slow = `
import { defineService } from "windsock";
export default defineService({
  terminate() {
    console.log("terminating");
    return new Promise(() => {});
  },
});
`;

test("windsock start prints the address and the routes, and serves them", async () => {
  const folder = await project({
    "src/websocket/status.ts": hello,
    "src/websocket/room/[id].ts": `
      import { defineService } from "windsock";
      export default defineService({
        params: ["id"],
        handleJoin: (client) => client.send("room " + client.params.id),
      });`,
  });
  const cli = new Cli(folder, ["start", "--port", "0"]);
  const url = await cli.url();
  const ws = `ws://localhost:${new URL(url).port}`;
  await cli.sees(
    new RegExp(`room/\\[id\\] +${ws}/websocket/room/:id +src/websocket/room/\\[id\\]\\.ts`),
  );
  await cli.sees(new RegExp(`status +${ws}/websocket/status +src/websocket/status\\.ts`));

  expect(await (await PlainClient.open(`${url}/websocket/status`)).next()).toBe("Hello WebSocket!");
  expect(await (await PlainClient.open(`${url}/websocket/room/4%2F2`)).next()).toBe("room 4/2");
});

test("windsock start serves public/ where there is one, below the base", async () => {
  const folder = await project({
    "src/websocket/status.ts": hello,
    "public/index.html": "<title>Status</title>",
  });
  const cli = new Cli(folder, ["start", "--port", "0", "--base", "/app"]);
  const url = await cli.url();
  await cli.sees(/pages +http:\/\/localhost:\d+\/app\/ +public/);
  const page = await fetch(`${url}/app/`);
  expect(await page.text()).toBe("<title>Status</title>");
  expect((await fetch(`${url}/`)).status).toBe(404);
  const client = await PlainClient.open(`${url}/app/websocket/status`);
  expect(await client.next()).toBe("Hello WebSocket!");
});

test("windsock start takes its folders and its address from the command line, its port from PORT", async () => {
  const folder = await project({ "server/status.ts": hello, "site/index.html": "here" });
  const args = ["start", "--services", "server", "--public", "site", "--host", "0.0.0.0"];
  const cli = new Cli(folder, args, { env: { PORT: "0" } });
  const [, port = ""] = await cli.sees(/Windsock listens on http:\/\/0\.0\.0\.0:(\d+)\n/);
  const url = `http://127.0.0.1:${port}`;
  expect(await (await fetch(url)).text()).toBe("here");
  expect((await fetch(`${url}/websocket/status`)).status).toBe(426);
});

test("SIGTERM closes clients with 1012 and exits with 0", async () => {
  const cli = new Cli(await project({ "src/websocket/status.ts": hello }), [
    "start",
    "--port",
    "0",
  ]);
  const client = await PlainClient.open(`${await cli.url()}/websocket/status`);
  cli.signal("SIGTERM");
  expect((await client.closed).code).toBe(1012);
  expect(await cli.ended).toEqual({ code: 0, signal: null });
  expect(cli.err).toBe("");
});

test("SIGINT exits with 0 too", async () => {
  const cli = new Cli(await project({ "src/websocket/status.ts": hello }), [
    "start",
    "--port",
    "0",
  ]);
  await cli.url();
  cli.signal("SIGINT");
  expect(await cli.ended).toEqual({ code: 0, signal: null });
});

test("a second signal exits at once, with 128 + its number", async () => {
  const cli = new Cli(await project({ "src/websocket/slow.ts": slow }), ["start", "--port", "0"]);
  await cli.url();
  cli.signal("SIGTERM");
  await cli.sees(/terminating/);
  cli.signal("SIGTERM");
  expect(await cli.ended).toEqual({ code: 143, signal: null });
});

test("a drain that takes longer than --drain-timeout-ms is cut, and the exit code is 1", async () => {
  const folder = await project({ "src/websocket/slow.ts": slow });
  const cli = new Cli(folder, ["start", "--port", "0", "--drain-timeout-ms", "200"]);
  await cli.url();
  cli.signal("SIGTERM");
  expect(await cli.ended).toEqual({ code: 1, signal: null });
  expect(cli.out).toContain("terminating");
});

test("a taken port stops with a sentence and exit code 1", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const folder = await project({ "src/websocket/status.ts": hello });
  const { code, out, err } = await windsock(folder, ["start", "--port", String(port)]);
  expect(err).toMatch(new RegExp(`^Expected port ${port} of 127\\.0\\.0\\.1 to be free, .*\\n$`));
  expect(out).toBe("");
  expect(code).toBe(1);
});

test.each([
  ["--base", "app", /^Expected `base` to be a path like "\/app"/],
  ["--public", "site", /^Expected `--public` to be a folder, got "site", which is not there\.$/],
])("%s %s is refused with a sentence", async (option, value, sentence) => {
  const folder = await project({ "src/websocket/status.ts": hello });
  const { code, err } = await windsock(folder, ["start", "--port", "0", option, value]);
  expect(err.trimEnd()).toMatch(sentence);
  expect(err).not.toMatch(/\n\s+at /);
  expect(code).toBe(1);
});

test("a token that is too short is refused without showing it", async () => {
  const folder = await project({ "src/websocket/status.ts": hello });
  const env = { WINDSOCK_TOKEN: "hunter2" };
  const { code, err } = await windsock(folder, ["start", "--port", "0"], { env });
  expect(err).toMatch(/^Expected `publishToken` to be at least 16 letters/);
  expect(err).not.toContain("hunter2");
  expect(code).toBe(1);
});

test("a missing services folder is answered with the first service to write", async () => {
  const { code, err } = await windsock(await project({}), ["start", "--port", "0"]);
  expect(err).toMatch(/^Expected the services in the folder src\/websocket, got no such folder\./);
  expect(err).toContain('import { defineService } from "windsock";');
  expect(code).toBe(1);
});

test("every broken service file is named, with what it threw and where", async () => {
  const folder = await project({
    "src/websocket/broken.ts": 'export const x = 1;\nthrow new Error("no database");',
    "src/websocket/odd.ts": "export default enum {",
    "src/websocket/plain.ts": "export default { init() {} };",
    "src/websocket/timer.ts": "setInterval(() => {}, 1000);\n" + hello,
  });
  const { code, out, err } = await windsock(folder, ["start", "--port", "0"]);
  expect(err).toMatch(/^3 problems in src\/websocket:\n/);
  expect(err).toContain("broken.ts: expected a module that loads, got Error: no database");
  expect(err).toContain(join(folder, "src/websocket/broken.ts") + ":2:7");
  expect(err).toMatch(/odd\.ts: expected a module that loads, got SyntaxError/);
  expect(err).toMatch(/plain\.ts: expected a default export made with `defineService`/);
  expect(out).toBe("");
  // The interval of a file that loaded does not keep the process.
  expect(code).toBe(1);
});

test("a project whose files are CommonJS is told what makes them modules", async () => {
  const folder = await project({
    "package.json": '{"type":"commonjs"}',
    "src/websocket/status.ts": hello,
  });
  const { code, err } = await windsock(folder, ["start", "--port", "0"]);
  expect(err).toContain(
    'outside a module. Write `"type": "module"` into the package.json above it\n',
  );
  expect(code).toBe(1);
});

test("two files for one URL are both named", async () => {
  const folder = await project({
    "src/websocket/status.ts": hello,
    "src/websocket/ab_status_websocket.ts": hello,
  });
  const { code, err } = await windsock(folder, ["start", "--port", "0"]);
  expect(err).toContain("ab_status_websocket.ts and status.ts both answer at /websocket/status");
  expect(code).toBe(1);
});

test("a crash and a promise that a service forgot are reported, and the server goes on", async () => {
  const folder = await project({
    "src/websocket/status.ts": hello,
    "src/websocket/bad.ts": `
      import { defineService } from "windsock";
      export default defineService({
        handleIncoming(_client, message) {
          if (message === "forget") void Promise.reject(new Error("forgotten"));
          else throw new Error("crashed");
        },
      });`,
  });
  const cli = new Cli(folder, ["start", "--port", "0"]);
  const url = await cli.url();
  const bad = await PlainClient.open(`${url}/websocket/bad`);
  bad.send("forget");
  await cli.complains(/a promise that nobody waits for failed\.\n +Error: forgotten/);
  bad.send("crash");
  await cli.complains(/handleIncoming of bad failed.*\n[^]*Error: crashed/);
  expect(bad.isOpen).toBe(true);
  expect(await (await PlainClient.open(`${url}/websocket/status`)).next()).toBe("Hello WebSocket!");
});
