import { AutobuildError } from "../../errors.ts";
import type { Checkout } from "../checkout.ts";
import { inSequence, step, type Plan, type PlannedStep } from "../plan.ts";
import type { Tools } from "../tools.ts";
import type { Detector } from "./detector.ts";
import { packagesOf } from "./python-packages.ts";
import { PythonTests } from "./python-tests.ts";

const projectFiles = [
  "pyproject.toml",
  "setup.py",
  "setup.cfg",
  "requirements.txt",
  "tox.ini",
  "pytest.ini",
] as const;

/** The virtual environments of a build, within its checkout and removed with it. */
const ownFolder = ".venv";
const managersFolder = ".venv-manager";

/**
 * Python projects, and folders with Python files at the top: by uv, poetry, pipenv or tox where the project uses one
 * of them; else what it needs is installed into a virtual environment of the checkout, and its tests run by pytest
 * or unittest; a project that needs nothing gets along without. Without tests, all files are compiled.
 *
 * Nothing is installed into the machine's Python: it is not ours to change.
 */
export const python = {
  files: ["uv.lock", "poetry.lock", "Pipfile.lock", ...projectFiles, "*.py"],
  async detect(checkout, tools) {
    const files = await checkout.list();
    const evidence =
      (await checkout.firstFile(...projectFiles)) ??
      files.find((file) => /^(?:[^/]+\.py|requirements\/[^/]+\.txt)$/.test(file));
    const tests = new PythonTests(checkout, files);
    for (const manager of managers) {
      const plan = await managed(manager, tests, checkout, tools);
      if (plan !== undefined) return plan;
    }
    if (evidence === undefined) return undefined;
    return byPip(evidence, tests, files, checkout, tools);
  },
} satisfies Detector;

/** A program that makes an environment of its own. */
interface Manager {
  readonly name: string;
  /** The file that says that the project uses it. */
  readonly file: string;
  /** Nothing for one that does it all by itself. */
  readonly install?: readonly string[];
  readonly run?: readonly string[];
  /** Names pytest in the file. */
  readonly pytest?: RegExp;
  readonly environment: Readonly<Record<string, string>>;
}

// Those that keep environments in the user's folder by default would keep one for each build.
const managers: readonly Manager[] = [
  {
    name: "uv",
    file: "uv.lock",
    install: ["sync", "--locked"],
    run: ["run"],
    pytest: /^name = "pytest"$/m,
    environment: {},
  },
  {
    name: "poetry",
    file: "poetry.lock",
    install: ["install", "--no-interaction"],
    run: ["run"],
    pytest: /^name = "pytest"$/m,
    environment: { POETRY_VIRTUALENVS_IN_PROJECT: "true" },
  },
  {
    name: "pipenv",
    file: "Pipfile.lock",
    install: ["sync", "--dev"],
    run: ["run"],
    pytest: /^\s*"pytest": /m,
    environment: { PIPENV_VENV_IN_PROJECT: "1" },
  },
  { name: "tox", file: "tox.ini", environment: {} },
];

async function managed(
  manager: Manager,
  tests: PythonTests,
  checkout: Checkout,
  tools: Tools,
): Promise<Plan | undefined> {
  const { name, file, install, run = [], environment } = manager;
  const text = await checkout.read(file);
  if (text === undefined) return undefined;
  // Many a tox.ini is there for what else it configures.
  if (name === "tox" && !/^\s*\[(?:tox|testenv)\b/m.test(text)) return undefined;
  const isInstalled = await tools.hasProgram(name);
  // What tox runs on is listed in its file, often more versions of Python than a machine has.
  const maker = isInstalled || name === "tox" ? undefined : await environmentMaker(tools);
  if (!isInstalled && maker === undefined) return undefined;
  const program = isInstalled ? name : `${managersFolder}/bin/${name}`;
  const fetched =
    maker === undefined
      ? []
      : [
          step("environment", ...maker, managersFolder),
          step(name, `${managersFolder}/bin/python`, ...pipInstall, name),
        ];
  const by = isInstalled ? name : `${name}, which pip fetches`;
  if (install === undefined)
    return inSequence(`found ${file}: ${by}`, [step(name, program)], environment);

  const before = [...fetched, step("install", program, ...install)];
  if (tests.files.length === 0)
    return inSequence(
      `found ${file} and no tests: install with ${by} and compile all files`,
      [...before, step("compile", program, ...run, "python", "-m", "compileall", "-q", ".")],
      environment,
    );
  const hasPytest = manager.pytest?.test(text) ?? false;
  return withTests(
    `found ${file} and ${tests.files[0]}: install with ${by}, then ${hasPytest ? "pytest" : "unittest"}`,
    before,
    hasPytest
      ? [step("test", program, ...run, "pytest")]
      : unittests(tests, (args) => [program, ...run, "python", ...args]),
    environment,
  );
}

/** By the machine's Python, in an environment of the checkout's where something is to be installed. */
async function byPip(
  evidence: string,
  tests: PythonTests,
  files: readonly string[],
  checkout: Checkout,
  tools: Tools,
): Promise<Plan> {
  const [test] = tests.files;
  if (test === undefined)
    return inSequence(`found ${evidence} and no tests: compile all files`, [
      step("compile", "python3", "-m", "compileall", "-q", "."),
    ]);
  const layout = layoutOf(files);
  const packages = await packagesOf(checkout, files);
  const areForPytest = packages.hasPytest || (await tests.areForPytest());
  const isDjango = !areForPytest && files.includes("manage.py");
  if (packages.installs.length === 0) {
    if (isDjango)
      return inSequence(`found manage.py and ${test}: its tests`, [
        step("test", "python3", "manage.py", "test"),
      ]);
    if (await tools.hasPythonModule("pytest"))
      return inSequence(
        `found ${evidence} and ${test}: pytest`,
        [step("test", "python3", "-m", "pytest")],
        layout,
      );
    if (!areForPytest)
      return withTests(
        `found ${evidence} and ${test}, but no module pytest: unittest`,
        [],
        unittests(tests, (args) => ["python3", ...args]),
        layout,
      );
  }

  const needed = packages.installs.length === 0 ? [`pytest for ${test}`] : packages.evidence;
  const maker = await environmentMaker(tools);
  if (maker === undefined)
    throw new AutobuildError(
      "AUTOBUILD_NOTHING_TO_BUILD",
      `Expected to install what the project needs (${needed.join(", ")}) into a virtual environment, and ` +
        ((await tools.hasProgram("python3"))
          ? "python3 on this machine makes none: its module ensurepip is missing. Install it (Debian, Ubuntu: " +
            "apt install python3-venv)"
          : "there is no python3 on the PATH. Install it (Debian, Ubuntu: apt install python3-venv)") +
        ", or write a .autobuild.yml with the steps that build the project.",
    );
  const installs = packages.installs.map(([name, ...args]) => pipStep(name, args));
  if (areForPytest && !packages.hasPytest) installs.push(pipStep("pytest", ["pytest"]));
  const runner = areForPytest ? "pytest" : isDjango ? "manage.py test" : "unittest";
  const from =
    packages.installs.length === 0
      ? `found ${evidence} and ${test}: install pytest`
      : `found ${packages.evidence.join(", ")} and ${test}: install what they name`;
  return withTests(
    `${from} in ${ownFolder}, then ${runner}`,
    [step("environment", ...maker, ownFolder), ...installs],
    areForPytest
      ? [activated("test", "python", "-m", "pytest")]
      : isDjango
        ? [activated("test", "python", "manage.py", "test")]
        : unittests(tests, (args) => ["python", ...args]).map(({ name, argv }) =>
            activated(name, ...argv),
          ),
    layout,
  );
}

/** What makes a virtual environment, without its folder; undefined when nothing on this machine does. */
async function environmentMaker(tools: Tools): Promise<[string, ...string[]] | undefined> {
  // Debian's python3 has venv without it, which then fails.
  if (await tools.hasPythonModule("ensurepip")) return ["python3", "-m", "venv"];
  if (await tools.hasPythonModule("virtualenv")) return ["python3", "-m", "virtualenv", "--quiet"];
  return undefined;
}

const pipInstall = ["-m", "pip", "install", "--disable-pip-version-check"] as const;

function pipStep(name: string, args: readonly string[]): PlannedStep {
  return step(name, `${ownFolder}/bin/python`, ...pipInstall, ...args);
}

/** A step that finds the environment's programs first, as tests that start them expect. */
function activated(name: string, ...argv: [string, ...string[]]): PlannedStep {
  const activate = `. ${ownFolder}/bin/activate`;
  return {
    ...step(name, "sh", "-c", `${activate} && exec "$@"`, "sh", ...argv),
    command: `${activate} && ${argv.join(" ")}`,
  };
}

/** One step for each folder of tests, since `unittest discover` looks into one. */
function unittests(
  tests: PythonTests,
  command: (args: readonly string[]) => [string, ...string[]],
): PlannedStep[] {
  const discoveries = tests.discoveries();
  return discoveries.map(({ folder, pattern, args }) => {
    const isTwice = discoveries.some((each) => each.folder === folder && each.pattern !== pattern);
    const words = ["test"];
    if (folder !== "." && discoveries.length > 1) words.push(folder);
    if (isTwice) words.push(`(${pattern})`);
    return step(words.join(" "), ...command(["-m", "unittest", "discover", ...args]));
  });
}

/** Steps one after the other, then all tests side by side. */
function withTests(
  reason: string,
  before: readonly PlannedStep[],
  tests: readonly PlannedStep[],
  environment: Readonly<Record<string, string>>,
): Plan {
  const plan = inSequence(reason, [...before, ...tests], environment);
  const last = before.at(-1);
  const needs = last === undefined ? [] : [last.name];
  return {
    ...plan,
    steps: plan.steps.map((each, index) => (index < before.length ? each : { ...each, needs })),
  };
}

/** Packages below `src` are found by tests once they are installed, which they may not be here. */
function layoutOf(files: readonly string[]): Record<string, string> {
  const isBelowSrc = files.some((file) => /^src\/(?:[^/]+\.py|[^/]+\/__init__\.py)$/.test(file));
  return isBelowSrc && !files.includes("src/__init__.py") ? { PYTHONPATH: "src" } : {};
}
