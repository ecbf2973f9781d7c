import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { PlainClient } from "../../src/testing/index.ts";
import { serve } from "../serve.ts";
import { project, windsock, write, type CliOptions } from "./run-cli.ts";

const token = "a-token-for-this-test";
const withToken: CliOptions = { env: { WINDSOCK_TOKEN: token } };

/** A server that answers as the test says, and remembers what it was asked. */
async function answering(
  answer: (response: ServerResponse, tries: number) => void,
): Promise<{ url: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const http = createHttpServer((request, response) => {
    requests.push(request);
    request.resume().on("end", () => answer(response, requests.length));
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    http.close();
    http.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, requests };
}

test("windsock broadcast sends a text to every client, and prints its number", async () => {
  const { server, open } = await serve(defineService({}), { publishToken: token });
  const client = await open();
  const folder = await project({});
  const args = ["broadcast", "status", "grün 1", "--url", server.url];
  const { code, out, err } = await windsock(folder, args, withToken);
  expect(err).toBe("");
  expect(out).toBe("status has taken the message (seq 1).\n");
  expect(code).toBe(0);
  expect(await client.next()).toBe("grün 1");
});

test("the token may stand in --token, a base path in --url, a dash behind --", async () => {
  const { server } = await serve(defineService({}), { publishToken: token, base: "/app" });
  const client = await PlainClient.open(`${server.url}/app/websocket/status`);
  const args = [
    "broadcast",
    "--url",
    `${server.url}/app/`,
    "--token",
    token,
    "status",
    "--",
    "--x",
  ];
  const { code } = await windsock(await project({}), args);
  expect(code).toBe(0);
  expect(await client.next()).toBe("--x");
});

test("--file sends the bytes of a file, or of stdin, as they are", async () => {
  const { server, open } = await serve(defineService({}), { publishToken: token });
  const client = await open();
  const folder = await project({});
  await write(folder, "message.txt", "from a file\n");
  const url = ["--url", server.url];
  await windsock(folder, ["broadcast", "status", "--file", "message.txt", ...url], withToken);
  await windsock(folder, ["broadcast", "status", "--file", "-", ...url], {
    ...withToken,
    input: "from stdin\n",
  });
  await windsock(folder, ["broadcast", "status", "--binary", "--file", "-", ...url], {
    ...withToken,
    input: Uint8Array.of(0xff, 0x00),
  });
  expect(await client.take(3)).toEqual(["from a file\n", "from stdin\n", Buffer.of(0xff, 0x00)]);
});

test("--json is a value to the service", async () => {
  const seen: unknown[] = [];
  const status = defineService({
    handleBroadcast(message: { build: number }, _state, service) {
      seen.push(message);
      service.publish(`build ${message.build}`);
    },
  });
  const { server, open } = await serve(status, { publishToken: token });
  const client = await open();
  const folder = await project({});
  const args = ["broadcast", "status", "--json", "--url", server.url];
  expect((await windsock(folder, [...args, '{"build":1}'], withToken)).code).toBe(0);
  expect(await client.next()).toBe("build 1");
  expect(seen).toEqual([{ build: 1 }]);
  const wrong = await windsock(folder, [...args, "{build}"], withToken);
  expect(wrong.err).toMatch(/^Expected JSON, got something else at /);
  expect(wrong.code).toBe(1);
});

test("a key of a keyed service is named as it is or encoded; where nobody is, that is said", async () => {
  const room = defineService({ params: ["id"] });
  const { server, open } = await serve({ "room/[id]": room }, { publishToken: token });
  const client = await open("room/a%2Fb%20c");
  const folder = await project({});
  const url = ["--url", server.url];
  expect(await windsock(folder, ["broadcast", "room/a%2Fb c", "hi", ...url], withToken)).toEqual({
    code: 0,
    out: "room/a%2Fb c has taken the message (seq 1).\n",
    err: "",
  });
  expect(await client.next()).toBe("hi");
  expect(await windsock(folder, ["broadcast", "room/d", "hi", ...url], withToken)).toEqual({
    code: 0,
    out: "Nobody has joined room/d: the message went nowhere.\n",
    err: "",
  });
});

test("what the server refuses is said in its words, with exit code 1", async () => {
  const { server } = await serve(defineService({}), { publishToken: token });
  const folder = await project({});
  const url = ["--url", server.url];
  const none = await windsock(folder, ["broadcast", "status", "hi", ...url]);
  expect(none.err).toBe(
    "Expected `Authorization: Bearer <token>` with the server's publish token, got none. Give it with the variable WINDSOCK_TOKEN.\n",
  );
  expect(none.code).toBe(1);

  const wrong = await windsock(folder, ["broadcast", "status", "hi", "--token", "x", ...url]);
  expect(wrong.err).toContain("got a wrong token");
  expect(wrong.code).toBe(1);

  const unknown = await windsock(folder, ["broadcast", "statsu", "hi", ...url], withToken);
  expect(unknown.err).toMatch(/statsu/);
  expect(unknown.code).toBe(1);

  const large = { ...withToken, input: "x".repeat(65_537) };
  const tooLarge = await windsock(folder, ["broadcast", "status", "--file", "-", ...url], large);
  expect(tooLarge.err).toMatch(/^Expected a body of at most 65536 bytes/);
  expect(tooLarge.code).toBe(1);
});

test("a server without a token says that broadcasting is off, and how to switch it on", async () => {
  const { server } = await serve(defineService({}));
  const args = ["broadcast", "status", "hi", "--url", server.url];
  const { code, err } = await windsock(await project({}), args, withToken);
  expect(err).toMatch(/broadcasting over HTTP is off\..*set the variable WINDSOCK_TOKEN/);
  expect(code).toBe(1);
});

test("a 503 with Retry-After is tried again, as the same message, until it is taken", async () => {
  const { url, requests } = await answering((response, tries) => {
    if (tries <= 3) response.writeHead(503, { "Retry-After": "0" }).end("Full. Try again later.\n");
    else response.writeHead(202).end('{"seq":7,"delivered":true}\n');
  });
  const { code, out, err } = await windsock(await project({}), [
    "broadcast",
    "status",
    "hi",
    "--url",
    url,
  ]);
  expect(out).toBe("status has taken the message (seq 7).\n");
  expect(err).toBe("Full. Try again later. Trying again in 0 s.\n".repeat(3));
  expect(code).toBe(0);
  const keys = requests.map(({ headers }) => headers["idempotency-key"]);
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
});

test("after --retries it gives up with the server's sentence", async () => {
  const { url, requests } = await answering((response) =>
    response
      .writeHead(503, { "Retry-After": "0", "Content-Type": "text/plain; charset=utf-8" })
      .end("Expected room, got none.\n"),
  );
  const args = ["broadcast", "status", "hi", "--retries", "1", "--url", url];
  const { code, err } = await windsock(await project({}), args);
  expect(requests).toHaveLength(2);
  expect(err).toMatch(/\nExpected room, got none\. \(Tried 2 times\.\)\n$/);
  expect(code).toBe(1);
});

test("a 503 that does not say when is final", async () => {
  const { url, requests } = await answering((response) => response.writeHead(503).end());
  const { code, err } = await windsock(await project({}), [
    "broadcast",
    "status",
    "hi",
    "--url",
    url,
  ]);
  expect(requests).toHaveLength(1);
  expect(err).toBe(
    `Expected ${url}/websocket/status to take the message, got 503 Service Unavailable.\n`,
  );
  expect(code).toBe(1);
});

test("a redirect is not followed with the token, but named", async () => {
  const { url, requests } = await answering((response) =>
    response.writeHead(308, { Location: "https://elsewhere.example/" }).end(),
  );
  const args = ["broadcast", "status", "hi", "--url", url];
  const { code, err } = await windsock(await project({}), args, withToken);
  expect(requests).toHaveLength(1);
  expect(err).toContain("got a redirect to https://elsewhere.example/");
  expect(code).toBe(1);
});

test("escape sequences in an answer do not reach the terminal", async () => {
  const { url } = await answering((response) =>
    response
      .writeHead(400, { "Content-Type": "text/plain" })
      .end("\u001b]0;title\u0007\u001b[31mred\r\u009b2J\n"),
  );
  const { err } = await windsock(await project({}), ["broadcast", "status", "hi", "--url", url]);
  expect(err).toBe("red\n");
});

test("nobody who listens is answered with a sentence that names the URL", async () => {
  const gone = createHttpServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const closedPort = (gone.address() as AddressInfo).port;
  await new Promise((resolve) => gone.close(resolve));
  const url = `http://127.0.0.1:${closedPort}`;
  const { code, out, err } = await windsock(await project({}), [
    "broadcast",
    "status",
    "hi",
    "--url",
    url,
  ]);
  expect(err).toBe(
    `Expected a Windsock server at ${url}, got nobody who listens there. Start it with \`windsock start\`, or name another one with \`--url\`.\n`,
  );
  expect(out).toBe("");
  expect(code).toBe(1);
});

test("a file that is not there is a sentence", async () => {
  const args = ["broadcast", "status", "--file", "nope.txt"];
  const { code, err } = await windsock(await project({}), args);
  expect(err).toMatch(/^Expected to read nope\.txt, got ENOENT/);
  expect(code).toBe(1);
});
