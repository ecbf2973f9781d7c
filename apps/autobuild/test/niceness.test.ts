import { existsSync } from "node:fs";
import os from "node:os";
import { describe, expect, test } from "vitest";
import { steps, TestRepository } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";

const own = os.getPriority();
const hasSessions = existsSync("/proc/self/autogroup");

/** What a build with such steps printed, without AutoBuild's own lines. */
async function printed(
  niceness: number | undefined,
  files: Record<string, string>,
): Promise<string[]> {
  const repository = new TestRepository(files);
  const server = await TestServer.start({
    repositories: [repository.folder],
    ...(niceness === undefined ? {} : { niceness }),
  });
  const build = await server.ended(1);
  expect(build.state).toBe("passed");
  return (await server.logOf(1))
    .split("\n")
    .filter((line) => /^(?:own|started|session) /.test(line));
}

describe("what a build runs", () => {
  test("is less urgent than AutoBuild, and all that it starts", async () => {
    const nicer = Math.min(19, own + 10);
    expect(
      await printed(
        undefined,
        steps(
          `echo own $(ps -o ni= -p $$); sh -c 'sh -c "echo started \\$(nice)"'`,
          "(echo started $(nice)) & wait",
        ),
      ),
    ).toEqual([`own ${nicer}`, `started ${nicer}`, `started ${nicer}`]);
  });

  // Niceness counts within a session only: of two that were busy each had half of a processor, whatever the step's was.
  test.skipIf(!hasSessions)("is less urgent beside other sessions, too", async () => {
    const untilLowered =
      "until grep -q 'nice 7' /proc/self/autogroup; do sleep 0.01; done; echo session lower";
    expect(await printed(7, steps(untilLowered))).toEqual(["session lower"]);
  });

  test("is as urgent as AutoBuild where that is wanted", async () => {
    const session = hasSessions ? "cat /proc/self/autogroup" : "echo nice 0";
    const lines = await printed(0, steps(`echo own $(nice); echo session $(${session})`));
    expect(lines).toEqual([`own ${own}`, expect.stringMatching(/nice 0$/)]);
  });

  test("runs all the same on a machine without `nice`", async () => {
    const configuration = {
      env: { PATH: "/nowhere" },
      steps: [{ name: "step", run: "echo started all the same" }],
    };
    expect(await printed(10, { ".autobuild.json": JSON.stringify(configuration) })).toEqual([
      "started all the same",
    ]);
  });

  test.each([-1, 20, 1.5])("is refused a niceness of %j with a sentence", async (niceness) => {
    await expect(TestServer.start({ repositories: [], niceness })).rejects.toThrow(
      `Expected \`niceness\` to be an integer from 0 to 19, got ${niceness} (number).`,
    );
  });
});
