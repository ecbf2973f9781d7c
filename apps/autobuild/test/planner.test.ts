import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { messageOf } from "../src/errors.ts";
import { PlanningProcess } from "../src/plan/planner.ts";
import { cookieVariable } from "../src/run/environment.ts";
import { processesOf, sweepCookie } from "../src/run/process-tree.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { until } from "./support/until.ts";

const event = { event: "manual" } as const;
const secret = "s3cret-of-the-server";

/** Plans a folder with that configuration, as the runner of a build does. */
class TestPlanning {
  readonly cookie: string = randomUUID();
  readonly folder: string = temporaryFolder();
  readonly process: PlanningProcess;

  constructor(text: string, name = "autobuild.config.ts", timeoutMs = 60_000) {
    writeFileSync(path.join(this.folder, name), text);
    this.process = new PlanningProcess(
      { ...process.env, [cookieVariable]: this.cookie, AUTOBUILD_HOOK_SECRET: secret },
      { timeoutMs, maxBytes: 20_000 },
    );
    onTestFinished(async () => {
      await this.process.end();
      await sweepCookie(this.cookie);
    });
  }

  plan() {
    return this.process.plan(this.folder, event);
  }

  async refusal(): Promise<unknown> {
    return this.plan().then(
      () => "planned",
      (error: unknown) => error,
    );
  }
}

describe("the planning process", () => {
  test("plans, and says what is wrong with its place", async () => {
    const good = new TestPlanning('export default { steps: [{ name: "a", run: "b" }] };');
    expect(await good.plan()).toMatchObject({ steps: [{ name: "a", command: "b" }] });
    const bad = new TestPlanning(
      "steps:\n  - name: a\n    run: b\n    tiemout: 5\n",
      ".autobuild.yml",
    );
    expect(await bad.refusal()).toMatchObject({
      code: "AUTOBUILD_BAD_CONFIG",
      message: expect.stringMatching(/^\.autobuild\.yml:4:5: /),
    });
    const none = new TestPlanning("", "README.md");
    expect(await none.refusal()).toMatchObject({ code: "AUTOBUILD_NOTHING_TO_BUILD" });
  });

  test.each([
    [
      "allocates without end",
      "const a = [];\nfor (;;) a.push(new Array(1e5).fill(1.5));",
      "ran out of memory",
    ],
    [
      "writes garbage in the place of its value",
      'import { writeSync } from "node:fs";\nconsole.log("{"); console.error("}");\nwriteSync(3, "}{");\nprocess.exit(0);',
      "got what is no JSON",
    ],
    ["exits", "process.exit(0);", "it ended without one"],
    ["kills itself", 'process.kill(process.pid, "SIGKILL");', "it ended without one"],
  ])("refuses a configuration that %s", async (_what, text, message) => {
    expect(await new TestPlanning(text).refusal()).toMatchObject({
      code: "AUTOBUILD_BAD_CONFIG",
      message: expect.stringContaining(message),
    });
  });

  test.each([
    ["loops for ever", "for (;;);"],
    ["waits for ever", "await new Promise(() => setInterval(() => {}, 1000));"],
  ])("ends at its time where a configuration %s", async (_what, text) => {
    await expect(new TestPlanning(text, "autobuild.config.ts", 300).plan()).rejects.toThrow(
      "Expected a plan within 0.3 s, got none.",
    );
  });

  test("refuses a plan of more bytes than it may have", async () => {
    const steps = Array.from({ length: 100 }, (_, at) => ({ name: `s${at}`, run: "x".repeat(99) }));
    const large = new TestPlanning(JSON.stringify({ steps }), ".autobuild.json");
    await expect(large.plan()).rejects.toThrow("at most 20000 bytes");
  });

  test("shows a configuration nothing of what it was started with", async () => {
    const shows = new TestPlanning(
      'export default { steps: [{ name: Object.entries(process.env).join(" ").slice(0, 99) || "empty", run: "x" }] };',
    );
    expect((await shows.plan()).steps[0]?.name).toBe("empty");
  });

  test.runIf(process.platform === "linux")(
    "has no secret of the server in its environment, and is found by the build's cookie with all that it started",
    async () => {
      const waits = new TestPlanning("await new Promise(() => setInterval(() => {}, 1000));");
      const refusal = waits.refusal();
      let found: number[] = [];
      await until("the configuration is evaluated", async () => {
        found = await processesOf(waits.cookie);
        return found.length === 2;
      });
      for (const pid of found)
        expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(secret);
      await waits.process.end();
      expect(messageOf(await refusal)).toContain("the build was ended");
      await sweepCookie(waits.cookie);
      expect(await processesOf(waits.cookie)).toEqual([]);
    },
  );
});
