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

  test("Python: pytest, else unittest in the tests' folder, else compile", async () => {
    const files = { "pyproject.toml": "", "x.py": "", "tests/test_x.py": "" };
    expect(await commandsFor(files)).toEqual(["python3 -m pytest"]);
    expect(await commandsFor(files, nothingInstalled)).toEqual([
      "python3 -m unittest discover -s tests",
    ]);
    expect(await commandsFor({ "x.py": "", "x_test.py": "" }, nothingInstalled)).toEqual([
      "python3 -m unittest discover -p *_test.py",
    ]);
    expect(await commandsFor({ "x.py": "" })).toEqual(["python3 -m compileall -q ."]);
  });

  test("nothing: the error names the files looked for and shows one that would do", async () => {
    await expect(planFor({ "README.md": "hello" })).rejects.toMatchObject({
      code: "AUTOBUILD_NOTHING_TO_BUILD",
      message: expect.stringMatching(
        /none of: \.autobuild\.yml, .*\.autobuild\.json, .*pnpm-lock\.yaml, .*Makefile, Cargo\.toml, go\.mod, .*steps:\n  - name: test\n    run: \.\/test\.sh$/s,
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
