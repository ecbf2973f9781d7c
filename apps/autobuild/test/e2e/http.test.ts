import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { assetPaths } from "../support/assets.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { upgradeStatus } from "../support/watcher.ts";

describe("over HTTP", () => {
  test("everything carries headers under which nothing that a build prints can run", async () => {
    const program = await Program.start([new TestRepository(steps("echo '<b>'")).folder]);
    await program.buildEnded(1);
    for (const path of [
      "/",
      "/wall",
      "/builds/1",
      ...(await assetPaths(program.url)),
      "/api/builds",
      "/api/builds/1",
      "/builds/1/log",
      "/none",
    ]) {
      const { headers } = await fetch(program.url + path);
      const policy = headers.get("content-security-policy") ?? "";
      expect([path, policy, Object.fromEntries(headers)]).toEqual([
        path,
        expect.stringMatching(
          /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'/,
        ),
        expect.objectContaining({
          "x-content-type-options": "nosniff",
          "referrer-policy": "same-origin",
          "cross-origin-resource-policy": "same-origin",
        }),
      ]);
      expect(policy).not.toContain("unsafe");
    }
    const log = await fetch(`${program.url}/builds/1/log`);
    expect(log.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await log.text()).toBe(program.logOf(1));
  });

  test("builds can be had page by page, and one by one", async () => {
    const program = await Program.start([new TestRepository(steps("true")).folder]);
    await program.buildEnded(1);
    const get = async (path: string): Promise<[number, unknown]> => {
      const answer = await fetch(program.url + path);
      const body = await answer.text();
      return [answer.status, answer.ok ? JSON.parse(body) : body];
    };
    const build = await program.build(1);
    expect(await get("/api/builds/1")).toEqual([200, build]);
    expect(await get("/api/builds")).toEqual([
      200,
      { builds: [build], repositories: expect.any(Array) },
    ]);
    expect(await get("/api/builds?before=2")).toMatchObject([200, { builds: [build] }]);
    expect(await get("/api/builds?before=1")).toMatchObject([200, { builds: [] }]);
    expect(await get("/api/builds?before=x")).toMatchObject([
      400,
      /a fault at `before`: expected a number/,
    ]);
    for (const path of ["/api/builds/2", "/api/builds/x", "/builds/2/log", "/builds/x/log", "/x"])
      expect([path, (await get(path))[0]]).toEqual([path, 404]);
  });

  test("who comes by another name is refused: pages, API, logs and sockets", async () => {
    const program = await Program.start([new TestRepository(steps("true")).folder]);
    await program.buildEnded(1);
    const [asset = ""] = await assetPaths(program.url);
    for (const path of ["/", asset, "/api/builds", "/builds/1/log", "/none"]) {
      for (const host of ["evil.example", `evil.example:${program.port}`, "127.0.0.1.evil.example"])
        expect([path + host, (await rawGet(program.url + path, { Host: host })).status]).toEqual([
          path + host,
          403,
        ]);
      const own = await rawGet(program.url + path, { Host: `localhost:${program.port}` });
      expect([path, own.status]).toEqual([path, path === "/none" ? 404 : 200]);
    }
    for (const path of ["/websocket/status", "/websocket/builds", "/websocket/log/1"]) {
      const url = program.url + path;
      expect([path, await upgradeStatus(url, { headers: { Host: "evil.example" } })]).toEqual([
        path,
        403,
      ]);
      for (const origin of ["http://evil.example", "null", `https://127.0.0.1:${program.port}`])
        expect([path + origin, await upgradeStatus(url, { origin })]).toEqual([path + origin, 403]);
      expect([path, await upgradeStatus(url, { origin: program.url })]).toEqual([path, 101]);
      expect([path, await upgradeStatus(url)]).toEqual([path, 101]);
    }
  });

  test("a badge and cc.xml say how a branch stands", async () => {
    const repository = new TestRepository(steps("true"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const badge = await fetch(`${program.url}/badges/project.svg?branch=main&label=tests`);
    expect(badge.headers.get("content-type")).toBe("image/svg+xml; charset=utf-8");
    expect(badge.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
    expect(await badge.text()).toMatch(/<title>tests: passed \d/);
    const none = await fetch(`${program.url}/badges/project.svg?branch=none`);
    expect(await none.text()).toContain("<title>build: no builds</title>");
    expect((await fetch(`${program.url}/badges/other.svg`)).status).toBe(404);
    const monitor = await (await fetch(`${program.url}/cc.xml`)).text();
    expect(monitor).toContain(
      'name="project/main" activity="Sleeping" lastBuildStatus="Success" lastBuildLabel="1"',
    );
    expect(monitor).toContain(`webUrl="${program.url}/builds/1"`);
  });
});

function rawGet(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; bytes: number; etag: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    bytes: number;
    etag: string;
  }>();
  request(url, { headers }, (response) => {
    let bytes = 0;
    response.on("data", (chunk: Buffer) => (bytes += chunk.length));
    response.on("end", () =>
      resolve({ status: response.statusCode ?? 0, bytes, etag: response.headers.etag ?? "" }),
    );
  })
    .on("error", reject)
    .end();
  return promise;
}
