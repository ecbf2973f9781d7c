import path from "node:path";
import type { Checkout } from "../checkout.ts";
import { inSequence, step, type Plan } from "../plan.ts";
import type { Tools } from "../tools.ts";
import type { Detector } from "./detector.ts";

const projectFiles = [
  "pyproject.toml",
  "setup.py",
  "setup.cfg",
  "requirements.txt",
  "tox.ini",
  "pytest.ini",
] as const;

/**
 * Python projects, and folders with Python files at the top: uv, poetry or tox where the project uses one of
 * them and it is installed; else pytest, else unittest, else compile them all.
 *
 * Nothing is installed into the system's Python: it is not ours to change. A project that needs packages and
 * has none of the three says how to get them in its configuration.
 */
export const python = {
  files: ["uv.lock", "poetry.lock", ...projectFiles, "*.py"],
  async detect(checkout, tools) {
    const files = await checkout.list();
    const evidence =
      (await checkout.firstFile(...projectFiles)) ?? files.find((file) => /^[^/]+\.py$/.test(file));
    if (evidence === undefined) return undefined;
    const test = files.find((file) => /(?:^|\/)(?:test[^/]*|[^/]+_test)\.py$/.test(file));
    return (
      (await managed("uv", ["sync", "--locked"], test, checkout, tools)) ??
      (await managed("poetry", ["install", "--no-interaction"], test, checkout, tools)) ??
      (await byTox(checkout, tools)) ??
      bySystem(evidence, test, layoutOf(files), tools)
    );
  },
} satisfies Detector;

/** By a manager that makes an environment of its own. */
async function managed(
  manager: "uv" | "poetry",
  install: readonly string[],
  test: string | undefined,
  checkout: Checkout,
  tools: Tools,
): Promise<Plan | undefined> {
  const lock = `${manager}.lock`;
  const text = await checkout.read(lock);
  if (text === undefined || !(await tools.hasProgram(manager))) return undefined;
  const installed = step("install", manager, ...install);
  if (test === undefined)
    return inSequence(`found ${lock} and no tests: install with ${manager} and compile all files`, [
      installed,
      step("compile", manager, "run", "python", "-m", "compileall", "-q", "."),
    ]);
  const hasPytest = /^name = "pytest"$/m.test(text);
  const command = hasPytest ? ["pytest"] : ["python", "-m", "unittest", ...discovery(test)];
  return inSequence(
    `found ${lock} and ${test}: install with ${manager}, then ${hasPytest ? "pytest" : "unittest"}`,
    [installed, step("test", manager, "run", ...command)],
  );
}

async function byTox(checkout: Checkout, tools: Tools): Promise<Plan | undefined> {
  if (!(await checkout.hasFile("tox.ini")) || !(await tools.hasProgram("tox"))) return undefined;
  return inSequence("found tox.ini: tox", [step("tox", "tox")]);
}

/** Packages below `src` are found by tests once they are installed, which they are not here. */
function layoutOf(files: readonly string[]): Record<string, string> {
  const isBelowSrc = files.some((file) => /^src\/(?:[^/]+\.py|[^/]+\/__init__\.py)$/.test(file));
  return isBelowSrc && !files.includes("src/__init__.py") ? { PYTHONPATH: "src" } : {};
}

async function bySystem(
  evidence: string,
  test: string | undefined,
  environment: Readonly<Record<string, string>>,
  tools: Tools,
): Promise<Plan> {
  if (test === undefined) {
    return inSequence(`found ${evidence} and no tests: compile all files`, [
      step("compile", "python3", "-m", "compileall", "-q", "."),
    ]);
  }
  if (await tools.hasPythonModule("pytest")) {
    return inSequence(
      `found ${evidence} and ${test}: pytest`,
      [step("test", "python3", "-m", "pytest")],
      environment,
    );
  }
  return inSequence(
    `found ${evidence} and ${test}, but no module pytest: unittest`,
    [step("test", "python3", "-m", "unittest", ...discovery(test))],
    environment,
  );
}

function discovery(test: string): string[] {
  const folder = path.dirname(test);
  const start = folder === "." ? [] : ["-s", folder];
  const pattern = test.endsWith("_test.py") ? ["-p", "*_test.py"] : [];
  return ["discover", ...start, ...pattern];
}
