import { describe, expect, test } from "vitest";
import { findPlan } from "../src/plan/find-plan.ts";
import type { Plan } from "../src/plan/plan.ts";
import type { Tools } from "../src/plan/tools.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

/** A machine with these programs, and these modules of python3. */
const machine = (programs: readonly string[], modules: readonly string[]): Tools => ({
  hasProgram: async (name) => programs.includes(name),
  hasPythonModule: async (name) => modules.includes(name),
});
const clean = machine(["python3"], ["ensurepip"]);
const bare = machine(["python3"], []);
const all: Tools = { hasProgram: async () => true, hasPythonModule: async () => true };

function planFor(files: Record<string, string>, tools: Tools = clean): Promise<Plan> {
  const folder = temporaryFolder();
  writeFiles(folder, files);
  return findPlan(folder, tools);
}

async function commandsFor(files: Record<string, string>, tools?: Tools): Promise<string[]> {
  return (await planFor(files, tools)).steps.map(({ command }) => command);
}

const pip = ".venv/bin/python -m pip install --disable-pip-version-check";
const venv = "python3 -m venv .venv";
const unittest = ". .venv/bin/activate && python -m unittest discover -s tests";
const pytest = ". .venv/bin/activate && python -m pytest";
const tests = { "tests/test_x.py": "import unittest" };
const tested = { "tests/test_x.py": "def test_x():\n    assert True\n" };

describe("a Python project that needs nothing", () => {
  test("is tested by the machine's Python: pytest where it is, else unittest", async () => {
    const files = { "pyproject.toml": "[project]\nname = 'x'\n", "x.py": "", ...tests };
    expect(await commandsFor(files, all)).toEqual(["python3 -m pytest"]);
    expect(await commandsFor(files)).toEqual(["python3 -m unittest discover -s tests"]);
    expect(await commandsFor({ "x.py": "", "x_test.py": "" })).toEqual([
      "python3 -m unittest discover -p *_test.py",
    ]);
    expect(await commandsFor({ "x.py": "" })).toEqual(["python3 -m compileall -q ."]);
  });

  test("stays without an environment where its requirements are comments and options", async () => {
    const files = {
      "requirements.txt": "# nothing\n\n--index-url https://example.org\n",
      ...tests,
    };
    expect(await commandsFor(files)).toEqual(["python3 -m unittest discover -s tests"]);
  });

  // The layout that Python's packaging guide recommends failed at once: nothing installs the package.
  test("has the packages below src on the path of its tests", async () => {
    const environmentFor = async (files: Record<string, string>) =>
      (await planFor({ "pyproject.toml": "", ...tests, ...files })).environment;
    expect(await environmentFor({ "src/x/__init__.py": "" })).toEqual({ PYTHONPATH: "src" });
    expect(await environmentFor({ "src/x.py": "" })).toEqual({ PYTHONPATH: "src" });
    // Here `src` is the package.
    expect(await environmentFor({ "src/__init__.py": "", "src/x.py": "" })).toEqual({});
    expect(await environmentFor({ "x/__init__.py": "" })).toEqual({});
  });

  test("gets pytest where its tests are written for it and the machine has none", async () => {
    for (const files of [
      tested,
      { "tests/test_x.py": "import pytest\n" },
      { ...tests, "conftest.py": "" },
      { ...tests, "setup.cfg": "[tool:pytest]\n" },
      { ...tests, "pyproject.toml": "[tool.pytest.ini_options]\n" },
    ]) {
      const plan = await planFor({ "x.py": "", ...files });
      expect(plan.steps.map(({ command }) => command)).toEqual([venv, `${pip} pytest`, pytest]);
      expect(plan.reason).toMatch(/^found .*: install pytest in \.venv, then pytest$/);
    }
  });

  test("of Django's is tested by its own manage.py", async () => {
    expect(await commandsFor({ "manage.py": "", "app/tests.py": "" })).toEqual([
      "python3 manage.py test",
    ]);
  });
});

// A first build failed at its first import: nothing installed what the project asks for.
describe("what a Python project needs is installed into an environment of the checkout", () => {
  test("from requirements.txt, and the requirements of tests before those of work", async () => {
    const files = { "requirements.txt": "requests\n", ...tests };
    const plan = await planFor(files);
    expect(plan.steps.map(({ name, needs }) => [name, needs])).toEqual([
      ["environment", []],
      ["requirements", ["environment"]],
      ["test", ["requirements"]],
    ]);
    expect(plan.steps.map(({ command }) => command)).toEqual([
      venv,
      `${pip} -r requirements.txt`,
      unittest,
    ]);
    expect(plan.reason).toBe(
      "found requirements.txt and tests/test_x.py: install what they name in .venv, then unittest",
    );
    expect(
      await commandsFor({ ...files, "requirements-dev.txt": "-r requirements.txt\npytest==8\n" }),
    ).toEqual([venv, `${pip} -r requirements.txt -r requirements-dev.txt`, pytest]);
    expect(
      await commandsFor({
        ...files,
        "requirements-dev.txt": "black",
        "test-requirements.txt": "mock",
      }),
    ).toEqual([venv, `${pip} -r requirements.txt -r test-requirements.txt`, unittest]);
    expect(
      await commandsFor({ ...tests, "requirements/base.txt": "a", "requirements/test.txt": "b" }),
    ).toEqual([venv, `${pip} -r requirements/base.txt -r requirements/test.txt`, unittest]);
  });

  test("pytest for itself where tests are written for it and nothing names it", async () => {
    expect(await commandsFor({ "requirements.txt": "requests\n", ...tested })).toEqual([
      venv,
      `${pip} -r requirements.txt`,
      `${pip} pytest`,
      pytest,
    ]);
  });

  test("from pyproject.toml: the package itself with its extra for tests", async () => {
    const pyproject = (more: string): Record<string, string> => ({
      "pyproject.toml": `[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "x"\n${more}`,
      ...tests,
    });
    expect(await commandsFor(pyproject('dependencies = ["requests"]\n'))).toEqual([
      venv,
      `${pip} -e .`,
      unittest,
    ]);
    const extras = '[project.optional-dependencies]\ndev = ["black"]\ntest = ["pytest>=8"]\n';
    expect(await commandsFor(pyproject(extras))).toEqual([venv, `${pip} -e .[test]`, pytest]);
    expect(await commandsFor(pyproject('dynamic = ["dependencies"]\n'))).toEqual([
      venv,
      `${pip} -e .`,
      unittest,
    ]);
    expect(await commandsFor(pyproject('dynamic = ["version"]\n'))).toEqual([
      "python3 -m unittest discover -s tests",
    ]);
  });

  test("from dependency groups, written out for a pip that does not know them", async () => {
    const groups =
      '[dependency-groups]\ntest = ["pytest>=8", {include-group = "more"}]\nmore = ["mock", {include-group = "test"}]\n';
    const plan = await planFor({ "pyproject.toml": groups, ...tests });
    expect(plan.steps.map(({ argv }) => argv.slice(5))).toEqual([
      [],
      ["pytest>=8", "mock"],
      ["-m", "pytest"],
    ]);
  });

  test("as packages alone where there is no build system: it may be no package", async () => {
    expect(
      await commandsFor({
        "pyproject.toml": '[project]\nname = "x"\ndependencies = ["requests", "attrs"]\n',
        ...tests,
      }),
    ).toEqual([venv, `${pip} requests attrs`, unittest]);
  });

  test("from setup.py and setup.cfg, and for what compiles an extension", async () => {
    expect(
      await commandsFor({
        "setup.py": 'setup(install_requires=["a"], extras_require={"test": ["b"]})',
        ...tests,
      }),
    ).toEqual([venv, `${pip} -e .[test]`, unittest]);
    const plan = await planFor({
      "setup.cfg": "[options]\ninstall_requires =\n  a\n[options.extras_require]\ndev =\n  b\n",
      ...tests,
    });
    expect(plan.steps[1]?.command).toBe(`${pip} -e .[dev]`);
    expect(plan.reason).toMatch(/^found setup\.cfg /);
    expect(
      await commandsFor({
        "pyproject.toml": '[build-system]\nbuild-backend = "maturin"\n',
        ...tests,
      }),
    ).toEqual([venv, `${pip} -e .`, unittest]);
  });

  test("a requirement is an argument, whatever it holds", async () => {
    const hostile = "x; $(touch /tmp/x) `y` 'z'";
    const plan = await planFor({
      "pyproject.toml": `[project]\nname = "x"\ndependencies = [${JSON.stringify(hostile)}]\n`,
      ...tests,
    });
    expect(plan.steps[1]?.argv.at(-1)).toBe(hostile);
  });

  test("by virtualenv, and with a sentence where neither it nor ensurepip is there", async () => {
    const files = { "requirements.txt": "requests\n", ...tests };
    expect((await commandsFor(files, machine(["python3"], ["virtualenv"])))[0]).toBe(
      "python3 -m virtualenv --quiet .venv",
    );
    await expect(planFor(files, bare)).rejects.toMatchObject({
      code: "AUTOBUILD_NOTHING_TO_BUILD",
      message:
        "Expected to install what the project needs (requirements.txt) into a virtual environment, and python3 on " +
        "this machine makes none: its module ensurepip is missing. Install it (Debian, Ubuntu: apt install " +
        "python3-venv), or write a .autobuild.yml with the steps that build the project.",
    });
    await expect(planFor(files, machine([], []))).rejects.toThrow(
      "there is no python3 on the PATH",
    );
    await expect(planFor({ "x.py": "", ...tested }, bare)).rejects.toThrow(
      "(pytest for tests/test_x.py)",
    );
  });
});

describe("uv, poetry, pipenv and tox", () => {
  const files = { "pyproject.toml": "", ...tests };
  const lock = '[[package]]\nname = "pytest"\n';

  test("are used where the project uses one", async () => {
    expect(await commandsFor({ ...files, "uv.lock": lock }, all)).toEqual([
      "uv sync --locked",
      "uv run pytest",
    ]);
    expect(await commandsFor({ ...files, "poetry.lock": "" }, all)).toEqual([
      "poetry install --no-interaction",
      "poetry run python -m unittest discover -s tests",
    ]);
    expect(
      await commandsFor({ ...tests, "Pipfile.lock": '{\n  "pytest": {\n  }\n}' }, all),
    ).toEqual(["pipenv sync --dev", "pipenv run pytest"]);
    expect(await commandsFor({ ...files, "tox.ini": "[tox]\n" }, all)).toEqual(["tox"]);
    expect(await commandsFor({ ...files, "tox.ini": "[flake8]\n" }, all)).toEqual([
      "python3 -m pytest",
    ]);
  });

  test("keep their environments in the checkout, which is removed", async () => {
    const poetry = await planFor({ ...files, "poetry.lock": "" }, all);
    expect(poetry.environment).toEqual({ POETRY_VIRTUALENVS_IN_PROJECT: "true" });
  });

  test("are fetched where they are not installed, but for tox", async () => {
    expect(await commandsFor({ ...files, "uv.lock": lock })).toEqual([
      "python3 -m venv .venv-manager",
      ".venv-manager/bin/python -m pip install --disable-pip-version-check uv",
      ".venv-manager/bin/uv sync --locked",
      ".venv-manager/bin/uv run pytest",
    ]);
    const both = { ...files, "uv.lock": lock, "tox.ini": "[tox]\n" };
    expect(await commandsFor(both, bare)).toEqual(["python3 -m unittest discover -s tests"]);
    expect(await commandsFor({ ...files, "tox.ini": "[tox]\n" })).toEqual([
      "python3 -m unittest discover -s tests",
    ]);
  });
});

// `unittest discover` was told of the first folder only, and goes down into packages alone.
describe("unittest finds the tests of every folder", () => {
  const discovered = async (...files: string[]): Promise<string[]> =>
    (await planFor(Object.fromEntries(["x.py", ...files].map((file) => [file, ""])))).steps.map(
      ({ name, command }) => `${name}: ${command.replace("python3 -m unittest discover", "")}`,
    );

  test("beside each other, with a step for each that waits for no other", async () => {
    const plan = await planFor({
      "tests/unit/test_a.py": "",
      "tests/whole/test_b.py": "",
      "x.py": "",
    });
    expect(plan.steps.map(({ name, command, needs }) => ({ name, command, needs }))).toEqual([
      {
        name: "test tests/unit",
        command: "python3 -m unittest discover -s tests/unit",
        needs: [],
      },
      {
        name: "test tests/whole",
        command: "python3 -m unittest discover -s tests/whole",
        needs: [],
      },
    ]);
  });

  test("of packages from where the outermost package lies", async () => {
    expect(await discovered("x/__init__.py", "x/tests/__init__.py", "x/tests/test_a.py")).toEqual([
      "test: ",
    ]);
    expect(await discovered("x/__init__.py", "x/tests/test_a.py")).toEqual(["test:  -s x/tests"]);
    expect(
      await discovered("src/x/__init__.py", "src/x/test_a.py", "tests/test_b.py", "test_c.py"),
    ).toEqual(["test src:  -s src", "test: ", "test tests:  -s tests"]);
  });

  test("of both patterns", async () => {
    expect(await discovered("tests/a_test.py", "tests/test_b.py")).toEqual([
      "test tests (*_test.py):  -s tests -p *_test.py",
      "test tests (test*.py):  -s tests",
    ]);
  });
});
