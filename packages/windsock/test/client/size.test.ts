// What a page downloads for the client: minified and gzipped, bundled as an app's build does.
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bundle, client } from "./bundle.ts";

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
