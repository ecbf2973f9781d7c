import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const run = fileURLToPath(new URL("run.js", import.meta.url));

test("an older Node stops with one line: what was expected, what came, what to do", () => {
  // Node 20 is not at hand here; run.js believes what `process` says.
  const older =
    "data:text/javascript,for (const [key, value] of [['version', 'v20.20.2'], ['versions', { node: '20.20.2' }]]) Object.defineProperty(process, key, { value })";
  const { status, stderr } = spawnSync(process.execPath, ["--import", older, run, "start"], {
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^Expected Node 26 or later .*got v20\.20\.2: run `npx -y pnpm@12 install`.*\n$/,
  );
});
