import { spawnSync } from "node:child_process";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import type { Build } from "../../src/build/build.ts";
import { Program } from "../support/program.ts";
import { TestRepository } from "../support/repository.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { until } from "../support/until.ts";

const hasMake = answers("make", "--version");
const hasPython = answers("python3", "--version");
const canMakeEnvironments = answers("python3", "-c", "import ensurepip");
const hasNpm = answers("npm", "--version");
const hasCargo = answers("cargo", "--version");
const hasGo = answers("go", "version");

describe("real repositories", () => {
  test.skipIf(!hasMake || !hasPython || !hasNpm)(
    "of three kinds are built side by side; one that fails stops nobody (needs make, npm and python3)",
    async () => {
      const make = new TestRepository({
        Makefile: "test: hello\n\t./hello\n\nhello: hello.sh\n\tcp hello.sh hello\n",
        "hello.sh": "#!/bin/sh\necho 'hello from make'\n",
      });
      const npm = new TestRepository({
        "package.json": JSON.stringify({
          name: "failing",
          version: "1.0.0",
          scripts: { build: "node build.js", test: "node test.js" },
        }),
        "build.js": "console.log('built with', process.version)",
        "test.js": "require('node:assert').equal(1 + 1, 3)",
      });
      const python = new TestRepository({
        "pyproject.toml": "[project]\nname = 'sums'\nversion = '1'\n",
        "sums.py": "def plus(a, b):\n    return a + b\n",
        "tests/test_sums.py":
          "import unittest\nfrom sums import plus\n\nclass Sums(unittest.TestCase):\n    def test_plus(self):\n        self.assertEqual(plus(1, 2), 3)\n",
        "tests/__init__.py": "",
      });
      const program = await Program.start([make.folder, npm.folder, python.folder]);
      await until("three builds have ended", async () => {
        const { builds } = await program.builds();
        return builds.length === 3 && builds.every(({ finishedMs }) => finishedMs !== null);
      });
      const { builds, repositories } = await program.builds();
      const buildOf = (folder: string): Build => {
        const id = repositories.find(({ label }) => label === folder)?.id;
        return builds.find(({ repositoryId }) => repositoryId === id)!;
      };
      const [made, failed, tested] = [
        buildOf(make.folder),
        buildOf(npm.folder),
        buildOf(python.folder),
      ];
      expect(made).toMatchObject({ state: "passed", steps: [{ command: "make test" }] });
      expect(stripVTControlCharacters(program.logOf(made.id))).toContain("\nhello from make\n");
      expect(failed).toMatchObject({
        state: "failed",
        reason: "step test exited with 1",
        steps: [
          { name: "install", state: "passed" },
          { name: "build", state: "passed" },
          { name: "test", state: "failed" },
        ],
      });
      expect(stripVTControlCharacters(program.logOf(failed.id))).toContain("AssertionError");
      expect(tested).toMatchObject({ state: "passed", steps: [{ name: "test" }] });
      expect(stripVTControlCharacters(program.logOf(tested.id))).toMatch(/\b1 (?:test|passed)\b/);

      // The failing one is mended, and the server has gone on.
      npm.commit("mend", {
        "package.json": JSON.stringify({ name: "mended", version: "1.0.1", scripts: {} }),
      });
      expect(await program.buildEnded(4)).toMatchObject({ state: "passed", subject: "mend" });
    },
    60_000,
  );

  // It said no more than "No module named 'greeting'": nothing installed what it asks for.
  test.skipIf(!canMakeEnvironments)(
    "of Python get what they need in an environment of the checkout (needs python3 with venv)",
    async () => {
      // A package that is made by its own few lines: no registry is asked.
      const packaged = (name: string, dependencies: string): Record<string, string> => ({
        "pyproject.toml": `[build-system]\nrequires = []\nbuild-backend = "made"\nbackend-path = ["."]\n[project]\nname = "${name}"\nversion = "1"\n${dependencies}`,
        "made.py": backendOf(name),
        [`${name}.py`]: `def hello():\n    return "hello from ${name}"\n`,
      });
      const below = (folder: string, files: Record<string, string>): Record<string, string> =>
        Object.fromEntries(
          Object.entries(files).map(([file, text]) => [`${folder}/${file}`, text]),
        );
      const greeting = below("vendor/greeting", packaged("greeting", ""));
      const tests = {
        "tests/test_hello.py":
          "import shutil, unittest\nimport greeting\n\nclass Hello(unittest.TestCase):\n    def test_hello(self):\n        self.assertIn('hello', greeting.hello())\n    def test_path(self):\n        self.assertIn('.venv', shutil.which('python'))\n",
      };
      const repository = new TestRepository({
        "requirements.txt": "--no-index\n./vendor/greeting\n",
        "app.py": "import greeting\n",
        ...greeting,
        ...tests,
      });
      const program = await Program.start([repository.folder]);
      const isOver = async () => (await program.build(1))?.finishedMs != null;
      // Making an environment is seconds of work, on a busy machine many.
      await until("it has ended", isOver, 150_000);
      const log = stripVTControlCharacters(program.logOf(1));
      expect(await program.build(1)).toMatchObject({ state: "passed" });
      expect(log).toMatch(/=== plan: found .* install what they name in \.venv, then unittest/);
      expect(log).toContain("Successfully installed greeting-1");
      expect(log).toMatch(/^Ran 2 tests in/m);
      expect(answers("python3", "-c", "import greeting")).toBe(false);
    },
    180_000,
  );

  test.skipIf(!hasCargo)(
    "with a Cargo.toml are built with cargo (needs cargo)",
    async () => {
      const repository = new TestRepository({
        "Cargo.toml": '[package]\nname = "sums"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/lib.rs":
          "pub fn plus(a: u8, b: u8) -> u8 {\n    a + b\n}\n\n#[test]\nfn adds() {\n    assert_eq!(plus(1, 2), 3);\n}\n",
      });
      const program = await Program.start([repository.folder]);
      await until("it has ended", async () => (await program.build(1))?.finishedMs != null, 60_000);
      expect(await program.build(1)).toMatchObject({ state: "passed" });
      expect(stripVTControlCharacters(program.logOf(1))).toContain("test adds ... ok");
    },
    90_000,
  );

  test.skipIf(!hasGo)(
    "with a go.mod are built with go, and a test that breaks fails the build (needs go)",
    async () => {
      const files = (operator: string): Record<string, string> => ({
        "go.mod": "module example.org/sums\n\ngo 1.19\n",
        "main.go":
          'package main\n\nimport "example.org/sums/calc"\n\nfunc main() { println(calc.Plus(1, 2)) }\n',
        "calc/calc.go": `package calc\n\nfunc Plus(a, b int) int { return a ${operator} b }\n`,
        "calc/calc_test.go":
          'package calc\n\nimport "testing"\n\nfunc TestPlus(t *testing.T) {\n\tif got := Plus(1, 2); got != 3 {\n\t\tt.Errorf("Plus(1, 2) = %d, want 3", got)\n\t}\n}\n',
      });
      const repository = new TestRepository(files("+"));
      const program = await Program.start([repository.folder]);
      const ended = async (id: number): Promise<Build | undefined> => {
        await until(
          `build ${id} has ended`,
          async () => (await program.build(id))?.finishedMs != null,
          60_000,
        );
        return program.build(id);
      };
      expect(await ended(1)).toMatchObject({
        state: "passed",
        steps: [{ command: "go build ./..." }, { command: "go test ./..." }],
      });
      expect(stripVTControlCharacters(program.logOf(1))).toMatch(
        /^ok\s+example\.org\/sums\/calc\b/m,
      );
      repository.commit("break it", files("-"));
      expect(await ended(2)).toMatchObject({ state: "failed", reason: "step test exited with 1" });
      expect(stripVTControlCharacters(program.logOf(2))).toContain("Plus(1, 2) = -1, want 3");
    },
    150_000,
  );

  test("that people push to are built after each push, by path and by file URL", async () => {
    const [one, two] = [bareRepository(), bareRepository()];
    const program = await Program.start([one.bare, `file://${two.bare}`]);
    for (const [round, { work }] of [one, two, one, two].entries()) {
      work.commitSteps(`push ${round}`, `echo round ${round}`);
      work.git("push", "--quiet", "origin", "main");
      expect(await program.buildEnded(round + 1)).toMatchObject({
        state: "passed",
        subject: `push ${round}`,
        branch: "main",
      });
    }
  });
});

function bareRepository(): { bare: string; work: TestRepository } {
  const bare = path.join(temporaryFolder(), "shared.git");
  const work = new TestRepository();
  work.git("init", "--quiet", "--bare", "--initial-branch=main", bare);
  work.git("remote", "add", "origin", bare);
  return { bare, work };
}

function answers(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

/** A build backend of Python's in one file: it makes a wheel of the module beside it. */
function backendOf(name: string): string {
  return `import zipfile

def build_wheel(folder, settings=None, metadata=None):
    name = "${name}-1-py3-none-any.whl"
    files = {
        "${name}.py": open("${name}.py").read(),
        "${name}-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: ${name}\\nVersion: 1\\n",
        "${name}-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: made\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{file},,\\n" for file in files) + "${name}-1.dist-info/RECORD,,\\n"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
        wheel.writestr("${name}-1.dist-info/RECORD", record)
    return name
`;
}
