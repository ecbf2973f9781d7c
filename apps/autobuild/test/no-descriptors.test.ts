import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

// `spawn` gives a child without pipes then, and the error comes later: whoever took its pipes for given threw, nobody
// heard the error, and the server ended.
test("who has no descriptor left starts nothing, says so, and goes on when there are some", async () => {
  const program = path.join(import.meta.dirname, "support/no-descriptors.ts");
  const { stdout } = await promisify(execFile)("/bin/sh", [
    "-c",
    'ulimit -n 64; exec "$@"',
    "sh",
    process.execPath,
    program,
  ]);
  expect(JSON.parse(stdout)).toEqual({
    without: {
      git: "git version could not be started: spawn git EMFILE",
      step: "no output, notStarted",
      planner: "spawn /bin/sh EMFILE",
    },
    after: expect.stringMatching(/^git version /),
  });
});
