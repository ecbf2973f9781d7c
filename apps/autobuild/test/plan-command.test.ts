import { describe, expect, test } from "vitest";
import { plan as planCommand } from "../src/cli/plan.ts";
import { outputOf } from "./support/command.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

function plan(files: Record<string, string>, ...argv: string[]): Promise<string> {
  const folder = temporaryFolder();
  writeFiles(folder, files);
  return outputOf(planCommand, argv, folder);
}

const config = `
env: { TZ: UTC }
timeout: 1h
steps:
  - { name: install, run: [npm, ci] }
  - name: test
    run: |
      npm test
      npm run e2e
    timeout: 10m
    retry: 2
    reports: junit.xml
  - { name: docs, run: npm run docs, needs: [], when: { branch: main } }
  - { name: pack, run: npm pack, needs: [test, docs], tty: false, secrets: [NPM_TOKEN], artifacts: "*.tgz" }
`;

describe("autobuild plan", () => {
  test("says why, what would be run, and what is particular about it", async () => {
    expect(await plan({ ".autobuild.yml": config }, "--branch", "main")).toBe(
      [
        "plan: found .autobuild.yml with 4 steps",
        "  1. install  npm ci",
        "  2. test     npm test …",
        "              at most 10 min 0 s; up to 2 more attempts after exit or timeout; reads junit.xml",
        "  3. docs     npm run docs",
        "              starts at once",
        "  4. pack     npm pack",
        "              after test, docs; no terminal; with secrets NPM_TOKEN; keeps *.tgz",
        "variables: TZ",
        "time: 1 h 0 min for the build",
        "",
      ].join("\n"),
    );
    expect(await plan({ ".autobuild.yml": config }, "--branch", "topic")).toContain(
      "not for this build: docs\n",
    );
  });

  // A branch that is left out had its steps shown as if they would run.
  test("says of what is not built unless somebody asks", async () => {
    const left = "not built by itself";
    const files = { ".autobuild.yml": `${config}when: { branch: ["**", "!wip/**"] }\n` };
    expect(await plan(files, "--branch", "wip/x", "--event", "push")).toContain(left);
    expect(await plan(files, "--branch", "main", "--event", "push")).not.toContain(left);
    expect(await plan(files, "--branch", "wip/x")).not.toContain(left);
    expect(await plan(files, "--tag", "v1")).toContain(left);
    expect(await plan({ Makefile: "ci:" }, "--tag", "v1")).toContain(left);
  });

  test("prints JSON when asked", async () => {
    const printed = JSON.parse(await plan({ Makefile: "ci:" }, "--json")) as { steps: object[] };
    expect(printed.steps).toMatchObject([{ name: "ci", argv: ["make", "ci"] }]);
  });

  test("refuses what it does not know, with a sentence", async () => {
    await expect(plan({}, "--event", "lunch")).rejects.toThrow(
      'Expected --event to be one of push, tag, pullRequest, cron, manual, watch, got "lunch".',
    );
    await expect(plan({}, "/none/here")).rejects.toThrow("Expected one folder that is there");
    await expect(plan({}, "--frob")).rejects.toThrow(
      'Expected an option that there is, got "--frob" (string).',
    );
    await expect(plan({})).rejects.toMatchObject({ code: "AUTOBUILD_NOTHING_TO_BUILD" });
  });
});
