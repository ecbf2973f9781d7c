import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { maxOvertakes } from "../src/build/queue.ts";
import { schedulerDefaults } from "../src/build/scheduler.ts";
import { help } from "../src/cli/serve-options.ts";
import { findPlan } from "../src/plan/find-plan.ts";
import { consoleLogDefaults } from "../src/run/console-log.ts";
import { stepLogDefaults } from "../src/run/step-log-writer.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

const readme = readFileSync(path.join(import.meta.dirname, "../README.md"), "utf8");

describe("the README", () => {
  test("shows a configuration that works", async () => {
    const example = /```yaml\n(.*?)```/s.exec(readme)?.[1] ?? "";
    const folder = temporaryFolder();
    writeFiles(folder, { ".autobuild.yml": example });
    const plan = await findPlan(folder);
    expect(plan.steps.map(({ name, needs }) => [name, ...needs])).toEqual([
      ["install"],
      ["lint", "install"],
      ["test (node=24)", "install"],
      ["test (node=26)", "install"],
    ]);
  });

  test("has the options and variables that `--help` has", () => {
    const named = (text: string): string[] =>
      [
        ...new Set(
          text.match(
            /--(?:port|host|data-dir|pass-env|niceness|stop-builds|help)|AUTOBUILD_(?:PORT|HOST|DATA_DIR|NICENESS)/g,
          ),
        ),
      ].toSorted();
    expect(named(readme)).toEqual(named(help));
    expect(named(help)).toHaveLength(11);
  });

  test("has the bounds that hold", () => {
    expect(schedulerDefaults).toMatchObject({
      concurrency: Math.min(4, os.availableParallelism()),
      maxQueuedBuilds: 200,
      keptWorkspaces: 3,
    });
    expect(consoleLogDefaults).toMatchObject({
      maxLineBytes: 16 * 1024,
      maxLogBytes: 64 * 1024 * 1024,
    });
    expect(stepLogDefaults.maxStepLogBytes).toBe(256 * 1024 * 1024);
    for (const row of [
      "builds at the same time | as many as there are cores, at most 4; of each branch one |",
      `builds that go before one that came earlier | ${maxOvertakes} |`,
      "builds in the queue | 200 |",
      "one line | 16 KiB |",
      "the log of one step | 256 MiB |",
      "the console of one build | 64 MiB |",
      "the last three builds",
    ])
      expect(readme).toContain(row);
  });
});
