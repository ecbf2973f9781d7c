import path from "node:path";
import type { Detector } from "./detector.ts";
import { inSequence, step } from "./plan.ts";

const projectFiles = [
  "pyproject.toml",
  "setup.py",
  "setup.cfg",
  "requirements.txt",
  "tox.ini",
  "pytest.ini",
] as const;

/**
 * Python projects, and folders with Python files at the top: pytest, else unittest, else compile them all.
 *
 * Nothing is installed: the system's Python is not ours to change. A project that needs packages says how
 * to get them in its `.autobuild.json`.
 */
export const python = {
  files: [...projectFiles, "*.py"],
  async detect(checkout, tools) {
    const files = await checkout.list();
    const evidence =
      (await checkout.firstFile(...projectFiles)) ?? files.find((file) => /^[^/]+\.py$/.test(file));
    if (evidence === undefined) return undefined;

    const test = files.find((file) => /(?:^|\/)(?:test[^/]*|[^/]+_test)\.py$/.test(file));
    if (test === undefined) {
      return inSequence(`found ${evidence} and no tests: compile all files`, [
        step("compile", "python3", "-m", "compileall", "-q", "."),
      ]);
    }
    if (await tools.hasPythonModule("pytest")) {
      return inSequence(`found ${evidence} and ${test}: pytest`, [
        step("test", "python3", "-m", "pytest"),
      ]);
    }
    const folder = path.dirname(test);
    const start = folder === "." ? [] : ["-s", folder];
    const pattern = test.endsWith("_test.py") ? ["-p", "*_test.py"] : [];
    return inSequence(`found ${evidence} and ${test}, but no module pytest: unittest`, [
      step("test", "python3", "-m", "unittest", "discover", ...start, ...pattern),
    ]);
  },
} satisfies Detector;
