import { symlinkSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { findPlan } from "../src/plan/find-plan.ts";
import type { Plan } from "../src/plan/plan.ts";
import type { Tools } from "../src/plan/tools.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

const nothingInstalled: Tools = {
  hasProgram: async () => false,
  hasPythonModule: async () => false,
};
const allInstalled: Tools = { hasProgram: async () => true, hasPythonModule: async () => true };

function planFor(files: Record<string, string>, tools: Tools = allInstalled): Promise<Plan> {
  const folder = temporaryFolder();
  writeFiles(folder, files);
  return findPlan(folder, tools);
}

async function commandsFor(files: Record<string, string>, tools?: Tools): Promise<string[]> {
  return (await planFor(files, tools)).steps.map(({ command }) => command);
}

const manifest = (fields: object): string => JSON.stringify(fields);
const scripts = { build: "tsc", test: "vitest", lint: "eslint" };

describe("what lies in the checkout decides", () => {
  test("a pnpm lock: frozen installation, then the scripts that exist", async () => {
    const files = { "pnpm-lock.yaml": "", "package.json": manifest({ scripts }) };
    expect(await commandsFor(files)).toEqual([
      "pnpm install --frozen-lockfile",
      "pnpm run build",
      "pnpm run lint",
      "pnpm run test",
    ]);
  });

  test("a pnpm lock without pnpm on the PATH: npx fetches it, in the version the project names", async () => {
    const files = { "pnpm-lock.yaml": "", "package.json": manifest({ scripts: { test: "x" } }) };
    expect(await commandsFor(files, nothingInstalled)).toEqual([
      "npx -y pnpm@12 install --frozen-lockfile",
      "npx -y pnpm@12 run test",
    ]);
    files["package.json"] = manifest({ packageManager: "pnpm@9.1.0+sha512.abc" });
    expect(await commandsFor(files, nothingInstalled)).toEqual([
      "npx -y pnpm@9.1.0 install --frozen-lockfile",
    ]);
  });

  test("packageManager names pnpm, without a lock", async () => {
    expect(
      await commandsFor({ "package.json": manifest({ packageManager: "pnpm@10.0.0" }) }),
    ).toEqual(["pnpm install --no-frozen-lockfile"]);
  });

  test("an npm lock: npm ci", async () => {
    const plan = await planFor({
      "package-lock.json": "{}",
      "package.json": manifest({ scripts: { test: "x" } }),
    });
    expect(plan.steps.map(({ argv }) => argv)).toEqual([
      ["npm", "ci", "--no-audit", "--no-fund"],
      ["npm", "run", "test"],
    ]);
    expect(plan.reason).toBe("found package-lock.json: install with npm, then its script test");
  });

  test("package.json alone: npm install, and no placeholder test", async () => {
    const placeholder = 'echo "Error: no test specified" && exit 1';
    expect(
      await commandsFor({ "package.json": manifest({ scripts: { test: placeholder } }) }),
    ).toEqual(["npm install --no-audit --no-fund"]);
  });

  test("a yarn lock: classic or not", async () => {
    const files: Record<string, string> = { "yarn.lock": "", "package.json": "{}" };
    expect(await commandsFor(files)).toEqual(["yarn install --frozen-lockfile"]);
    files[".yarnrc.yml"] = "";
    expect(await commandsFor(files, nothingInstalled)).toEqual([
      "npx -y @yarnpkg/cli-dist@4 install --immutable",
    ]);
  });

  test("a package.json that does not parse is left to the package manager", async () => {
    expect(await commandsFor({ "package.json": "{", Makefile: "" })).toEqual([
      "npm install --no-audit --no-fund",
    ]);
  });

  test("a Makefile: target ci, else test, else the default", async () => {
    expect(await commandsFor({ Makefile: "all:\n\ntest: all\n\nci test:\n" })).toEqual(["make ci"]);
    expect(await commandsFor({ Makefile: "CI = 1\nci := no\ntest:: all\n" })).toEqual([
      "make test",
    ]);
    expect(await commandsFor({ Makefile: "all:\n\ttest: x\n" })).toEqual(["make"]);
  });

  test("Cargo: build and test, locked where there is a lock", async () => {
    expect(await commandsFor({ "Cargo.toml": "", "Cargo.lock": "", Makefile: "all:" })).toEqual([
      "cargo build --locked",
      "cargo test --locked",
    ]);
    expect(await commandsFor({ "Cargo.toml": "" })).toEqual(["cargo build", "cargo test"]);
  });

  test("Go: build and test of all packages", async () => {
    expect(await commandsFor({ "go.mod": "module x" })).toEqual([
      "go build ./...",
      "go test ./...",
    ]);
  });

  test("a script for it: run as it is, or by sh where it is not executable", async () => {
    const files = { "package.json": "{}", Makefile: "ci:" };
    expect(await commandsFor({ "ci.sh": "echo hi", ...files })).toEqual(["sh ci.sh"]);
    expect(await commandsFor({ "script/ci": "#!/bin/sh\n", ...files })).toEqual(["./script/ci"]);
  });

  test("a target ci: before a package manager, and a target test behind it", async () => {
    const npm = "npm install --no-audit --no-fund";
    expect(await commandsFor({ "package.json": "{}", Makefile: "ci:" })).toEqual(["make ci"]);
    expect(await commandsFor({ "package.json": "{}", Makefile: "test:" })).toEqual([npm]);
    expect(await commandsFor({ "go.mod": "", Makefile: "test:" })).toEqual(["make test"]);
  });

  test("a justfile or a Taskfile with such a target, where its program is installed", async () => {
    const justfile = "set shell := ['sh']\nci := 'x'\n\n@test arg='1': build\n  echo\n";
    expect(await commandsFor({ justfile })).toEqual(["just test"]);
    const taskfile = "version: '3'\ntasks:\n  ci:\n    cmds: [true]\n";
    expect(await commandsFor({ "Taskfile.yml": taskfile })).toEqual(["task ci"]);
    expect(await commandsFor({ justfile, "go.mod": "" }, nothingInstalled)).toEqual([
      "go build ./...",
      "go test ./...",
    ]);
    await expect(planFor({ "Taskfile.yml": "tasks: [" })).rejects.toThrow("found none of");
  });

  test("a bun lock: frozen installation, then the scripts", async () => {
    const files = { "bun.lock": "", "package.json": manifest({ scripts: { test: "bun test" } }) };
    expect(await commandsFor(files)).toEqual(["bun install --frozen-lockfile", "bun run test"]);
    expect(await commandsFor(files, nothingInstalled)).toEqual([
      "npx -y bun@1 install --frozen-lockfile",
      "npx -y bun@1 run test",
    ]);
  });

  test("Gradle and Maven: the project's wrapper, else the installed one", async () => {
    expect(await commandsFor({ gradlew: "#!/bin/sh\n", "pom.xml": "" })).toEqual([
      "./gradlew build",
    ]);
    expect(await commandsFor({ gradlew: "x" })).toEqual(["sh gradlew build"]);
    expect(await commandsFor({ "build.gradle.kts": "" })).toEqual(["gradle build"]);
    expect(await commandsFor({ mvnw: "#!/bin/sh\n", "pom.xml": "" })).toEqual(["./mvnw -B verify"]);
    expect(await commandsFor({ "pom.xml": "" })).toEqual(["mvn -B verify"]);
  });

  test("Mix, Rebar, CMake and a Dockerfile", async () => {
    expect(await commandsFor({ "mix.exs": "" })).toEqual([
      "mix deps.get",
      "mix compile",
      "mix test",
    ]);
    expect(await commandsFor({ "rebar.config": "" })).toEqual(["rebar3 compile", "rebar3 eunit"]);
    expect(await commandsFor({ "CMakeLists.txt": "", Dockerfile: "" })).toEqual([
      "cmake -S . -B _autobuild",
      "cmake --build _autobuild --parallel",
      "ctest --test-dir _autobuild --output-on-failure",
    ]);
    expect(await commandsFor({ Dockerfile: "", Makefile: "" })).toEqual([
      "docker build --file Dockerfile .",
    ]);
  });

  test("a link out of the checkout is no file of it", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "outside/ci.sh": "secret", "inside/go.mod": "" });
    symlinkSync("../outside/ci.sh", path.join(folder, "inside/ci.sh"));
    symlinkSync("/dev/zero", path.join(folder, "inside/.autobuild.yml"));
    const plan = await findPlan(path.join(folder, "inside"), allInstalled);
    expect(plan.reason).toMatch(/^found go\.mod/);
  });

  test("nothing: the error names the files looked for and shows one that would do", async () => {
    await expect(planFor({ "README.md": "hello" })).rejects.toMatchObject({
      code: "AUTOBUILD_NOTHING_TO_BUILD",
      message: expect.stringMatching(
        /none of: \.autobuild\.yml, .*\.autobuild\.json, .*ci\.sh, .*Makefile, .*pnpm-lock\.yaml, .*Cargo\.toml, go\.mod, .*Dockerfile.*steps:\n  - name: test\n    run: \.\/test\.sh$/s,
      ),
    });
  });

  test("each plan says why it was chosen", async () => {
    for (const files of [
      { Makefile: "ci:" },
      { "Cargo.toml": "" },
      { "go.mod": "" },
      { "x.py": "" },
      { "package.json": "{}" },
    ]) {
      expect((await planFor(files)).reason).toMatch(/^found /);
    }
  });
});
