// What a page downloads for the client: minified and gzipped, bundled as an app's build does.
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { describe, expect, test } from "vitest";

const client = join(import.meta.dirname, "../../src/client/index.ts");

/** Bundles a page that consists of this code. */
async function bundle(code: string): Promise<string> {
  const entry = "virtual:page";
  const result = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [
      {
        name: "page",
        resolveId: (id) => (id === entry ? `\0${entry}` : undefined),
        load: (id) => (id === `\0${entry}` ? code : undefined),
      },
    ],
    build: {
      write: false,
      minify: true,
      target: "esnext",
      modulePreload: false,
      rolldownOptions: { input: entry, preserveEntrySignatures: "strict" },
    },
  });
  const [{ output }] = [result].flat() as unknown as [{ output: { code?: string }[] }];
  return output.map((chunk) => chunk.code ?? "").join("");
}

const kilobyte = 1024;

describe("the size of the client", () => {
  test.each([
    {
      what: "connect, with everything",
      code: `export { connect } from ${JSON.stringify(client)};`,
      limit: 9 * kilobyte,
    },
    {
      what: "createCoreClient, with what it cannot do without",
      code: `import { createCoreClient, noPage, readServerElements, systemClock } from ${JSON.stringify(client)};
        export const { connect } = createCoreClient({
          WebSocket, clock: systemClock, random: Math.random, page: noPage, decode: readServerElements,
        });`,
      limit: 6 * kilobyte,
    },
  ])("$what: at most $limit bytes", async ({ what, code, limit }) => {
    const bundled = await bundle(code);
    const bytes = gzipSync(bundled, { level: 9 }).length;
    console.log(`${what}: ${bundled.length} bytes minified, ${bytes} gzipped (limit ${limit})`);
    expect(bytes).toBeLessThanOrEqual(limit);
    // It runs in browsers: nothing of Node's came along, and nothing of the server's.
    expect(bundled).not.toMatch(/node:|\bBuffer\b|\bprocess\b|\brequire\(/);
  });
});
