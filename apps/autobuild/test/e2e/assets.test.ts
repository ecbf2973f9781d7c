import { request } from "node:http";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { assetPaths } from "../support/assets.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";

/** What a browser loads before it shows a page: all requests together, gzipped. */
const maxFirstLoadBytes = 60_000;

/** The page itself, its style and its scripts: on a slow line each request costs a round trip. */
const maxRequests = { "/": 3, "/builds/1": 5, "/wall": 4 } as const;

describe("the page's files", () => {
  test("are few and small, may be kept for good, and are all named in the page", async () => {
    const program = await Program.start([new TestRepository(steps("true")).folder]);
    const html = await get(`${program.url}/`);
    expect(html.text).toContain('<pre id="status"></pre>');
    expect(html.headers["cache-control"]).toBe("no-cache");
    const again = await get(`${program.url}/`, { "If-None-Match": html.headers["etag"] ?? "" });
    expect(again.status).toBe(304);

    for (const [page, most] of Object.entries(maxRequests)) {
      const paths = await assetPaths(program.url + page);
      expect([page, 1 + paths.length]).toEqual([page, most]);
      let bytes = html.bytes;
      for (const path of paths) {
        const { status, headers, text, ...file } = await get(program.url + path);
        bytes += file.bytes;
        expect([path, status, headers["cache-control"], headers["content-encoding"]]).toEqual([
          path,
          200,
          "public, max-age=31536000, immutable",
          "gzip",
        ]);
        // A browser that has to read one module to learn of the next one waits for each.
        for (const [, name = ""] of text.matchAll(/(?:\bfrom|\bimport) ?["'`](\.[^"'`]+)["'`]/g))
          expect(paths).toContain(new URL(name, `http://_${path}`).pathname);
        expect(text).not.toMatch(
          /^\s*(?:\/\/(?!# sourceMappingURL=)|\/\*|interface |import type )/m,
        );
      }
      expect(bytes).toBeLessThan(maxFirstLoadBytes);
    }
  }, 60_000);

  test("lead a debugger to the sources, and tell nothing of the machine", async () => {
    const program = await Program.start([new TestRepository(steps("true")).folder]);
    const names: string[] = [];
    for (const path of await assetPaths(`${program.url}/builds/1`)) {
      if (!path.endsWith(".js")) continue;
      const script = await get(program.url + path);
      const [, name = ""] = /\n\/\/# sourceMappingURL=(.+)\n?$/.exec(script.text) ?? [];
      const map = await get(new URL(name, program.url + path).href);
      expect([path, map.status, map.headers["content-type"]]).toEqual([
        path,
        200,
        "application/json; charset=utf-8",
      ]);
      const { sources } = JSON.parse(map.text) as { sources: string[] };
      names.push(...sources);
    }
    expect(names).toContain("../page/main.ts");
    expect(names).toContain("../page/log/mount.ts");
    for (const name of names) expect(name).toMatch(/^\.\.\//);
  }, 60_000);

  test("come as they are to who takes no gzip, and no other file comes", async () => {
    const program = await Program.start([new TestRepository(steps("true")).folder]);
    const paths = await assetPaths(program.url);
    const path = paths.find((one) => one.includes("/main-")) ?? "";
    const plain = await fetch(program.url + path, { headers: { "Accept-Encoding": "identity" } });
    const small = await get(program.url + path);
    expect(plain.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(await plain.text()).toBe(small.text);
    for (const other of ["../cli.js", "page/main.ts", "index.html", "main.js", "%2e%2e/cli.ts"])
      expect((await get(new URL(other, program.url + path).href)).status).toBe(404);
  }, 60_000);

  test("are the same page at the address of a build, and 404 where there is none", async () => {
    const program = await Program.start([new TestRepository(steps("true")).folder]);
    await program.buildEnded(1);
    const page = await (await fetch(program.url)).text();
    for (const [path, status] of [
      ["/builds/1", 200],
      ["/builds/2", 404],
      ["/wall", 200],
    ] as const) {
      const answer = await fetch(program.url + path);
      const text = (await answer.text())
        .replace(/data-page="\w+"/, 'data-page="console"')
        .split("\n")
        .filter((line) => page.includes(line) || !line.includes("modulepreload"))
        .join("\n");
      expect([path, answer.status, text]).toEqual([path, status, page]);
    }
  }, 60_000);
});

/** What comes over the wire: `fetch` would unpack it. */
function get(
  url: string,
  headers: Record<string, string> = {},
): Promise<{
  status: number;
  headers: Record<string, string | undefined>;
  text: string;
  bytes: number;
}> {
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof get>>>();
  request(url, { headers: { "Accept-Encoding": "gzip", ...headers } }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      const body = Buffer.concat(chunks);
      const isPacked = response.headers["content-encoding"] === "gzip" && body.length > 0;
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers as Record<string, string | undefined>,
        text: (isPacked ? gunzipSync(body) : body).toString(),
        bytes: body.length,
      });
    });
  })
    .on("error", reject)
    .end();
  return promise;
}
