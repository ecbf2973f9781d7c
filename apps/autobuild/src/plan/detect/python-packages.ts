import { parse } from "smol-toml";
import type { Checkout } from "../checkout.ts";

/** What a Python project needs besides Python itself, as far as its files tell without running them. */
export interface PythonPackages {
  /** The arguments of each `pip install`, by the name of its step. None: it needs nothing. */
  readonly installs: readonly (readonly [step: string, ...args: string[]])[];
  /** The files that say so. */
  readonly evidence: readonly string[];
  /** Whether pytest is among them. */
  readonly hasPytest: boolean;
}

/** Extras and groups that are there to test a project; where it has none of them, those to work on it. */
const testNames = ["test", "tests", "testing"];
const workNames = ["dev", "develop", "development"];
const namesOf = (names: readonly string[]): string => names.join("|");

const testFile = requirementsFile(testNames);
const workFile = requirementsFile(workNames);

/** What compiles an extension for Python's interpreter: the project can be used only once it is installed. */
const compilers = /^(?:maturin|mesonpy|scikit_build_core|setuptools_rust)\b/;
const dependsBySetup =
  /\b(?:install_requires|extras_require|tests_require|ext_modules|cythonize)\b/;
const namesPytest = /^\s*pytest(?:$|[^\w.])/i;

/**
 * Finds what a project needs: its requirements files, and its own package with the extras or dependency groups
 * that are there for tests.
 *
 * Each kind is an installation of its own: files with hashes allow nothing beside them, and what they pin comes
 * first. Dependency groups are written out, since pip knows them only from 25.1 on.
 */
export async function packagesOf(
  checkout: Checkout,
  files: readonly string[],
): Promise<PythonPackages> {
  const required = await requirementsOf(checkout, files);
  const own = await projectOf(checkout);
  const installs: [string, ...string[]][] = [];
  if (required.files.length > 0)
    installs.push(["requirements", ...required.files.flatMap((file) => ["-r", file])]);
  if (own.args.length > 0) installs.push(["install", ...own.args]);
  return {
    installs,
    evidence: [...required.files, ...own.evidence],
    hasPytest: required.hasPytest || own.hasPytest,
  };
}

interface Requirements {
  readonly files: readonly string[];
  readonly hasPytest: boolean;
}

async function requirementsOf(checkout: Checkout, files: readonly string[]): Promise<Requirements> {
  const ofTests = files.filter((file) => testFile.test(file));
  const more = ofTests.length > 0 ? ofTests : files.filter((file) => workFile.test(file));
  const base = ["requirements.txt", "requirements/base.txt"].find((file) => files.includes(file));
  const found: string[] = [];
  let hasPytest = false;
  for (const file of base === undefined ? more : [base, ...more]) {
    const lines = ((await checkout.read(file)) ?? "").split("\n");
    // A file of nothing but comments and options of pip names no package. `-r` and `-e` do.
    if (!lines.some((line) => /^\s*(?:[^\s#-]|-[re]\b|--(?:requirement|editable)\b)/.test(line)))
      continue;
    found.push(file);
    hasPytest ||= lines.some((line) => namesPytest.test(line));
  }
  return { files: found, hasPytest };
}

interface Project {
  /** Of `pip install`. */
  readonly args: readonly string[];
  readonly evidence: readonly string[];
  readonly hasPytest: boolean;
}

async function projectOf(checkout: Checkout): Promise<Project> {
  const pyproject = parseToml((await checkout.read("pyproject.toml")) ?? "");
  const setupFiles = await Promise.all(
    ["setup.py", "setup.cfg"].map(async (name) => ({
      name,
      text: (await checkout.read(name)) ?? "",
    })),
  );
  const setup = setupFiles.map(({ text }) => text).join("\n");
  const bySetup = setupFiles.find(({ text }) => dependsBySetup.test(text))?.name;

  const project = tableOf(pyproject["project"]);
  const system = tableOf(pyproject["build-system"]);
  const dependencies = textsOf(project["dependencies"]);
  const extras = tableOf(project["optional-dependencies"]);
  const groups = tableOf(pyproject["dependency-groups"]);
  const poetry = tableOf(tableOf(tableOf(pyproject["tool"])["poetry"])["dependencies"]);

  const extra = chosen(Object.keys(extras)) ?? chosen(extrasOfSetup(setup));
  const group = chosen(Object.keys(groups));
  const ofExtra = extra === undefined ? [] : textsOf(extras[extra]);
  const ofGroup = group === undefined ? [] : groupOf(groups, group);
  const dynamic = textsOf(project["dynamic"]);
  const needsItself =
    bySetup !== undefined ||
    dependencies.length > 0 ||
    ofExtra.length > 0 ||
    dynamic.some((field) => field === "dependencies" || field === "optional-dependencies") ||
    Object.keys(poetry).some((name) => name !== "python") ||
    compilers.test(String(system["build-backend"] ?? ""));

  // Without a build system it may be no package at all, but an application: what it names is installed then.
  const isPackage = bySetup !== undefined || Object.keys(system).length > 0;
  const itself = isPackage
    ? ["-e", extra === undefined ? "." : `.[${extra}]`]
    : [...dependencies, ...ofExtra];
  const args = [...(needsItself ? itself : []), ...ofGroup];
  const isInPyproject = Object.keys(project).length > 0 || group !== undefined;
  const evidence = isInPyproject ? "pyproject.toml" : (bySetup ?? "pyproject.toml");
  return {
    args,
    evidence: args.length > 0 ? [evidence] : [],
    hasPytest: [...dependencies, ...ofExtra, ...ofGroup].some((each) => namesPytest.test(each)),
  };
}

/** The packages of a dependency group, with those that it includes. */
function groupOf(
  groups: Readonly<Record<string, unknown>>,
  name: string,
  within: readonly string[] = [],
): string[] {
  const listed = groups[name];
  // A circle is an error of the project's; what it names besides is installed all the same.
  if (within.includes(name) || !Array.isArray(listed)) return [];
  const packages = listed.flatMap((each: unknown) => {
    if (typeof each === "string") return [each];
    const included = tableOf(each)["include-group"];
    return typeof included === "string" ? groupOf(groups, included, [...within, name]) : [];
  });
  return [...new Set(packages)];
}

/** `extras_require={"test": [...]}` of a setup.py, and `[options.extras_require]` of a setup.cfg. */
function extrasOfSetup(setup: string): string[] {
  const [, extras] = /\bextras_require\b([^]*)/.exec(setup) ?? [];
  if (extras === undefined) return [];
  const named = new RegExp(`^\\s*(${namesOf([...testNames, ...workNames])})\\s*=`, "gm");
  const quoted = new RegExp(`["'](${namesOf([...testNames, ...workNames])})["']\\s*:`, "g");
  return [...extras.matchAll(named), ...extras.matchAll(quoted)].map(([, name = ""]) => name);
}

/** The one to install; of several the first of those for tests. */
function chosen(names: readonly string[]): string | undefined {
  return [...testNames, ...workNames].find((name) => names.includes(name));
}

/** `requirements-test.txt`, `requirements_dev.txt`, `dev-requirements.txt`, `requirements/test.txt` and so on. */
function requirementsFile(names: readonly string[]): RegExp {
  const kind = `(?:${namesOf(names)})`;
  return new RegExp(
    `^(?:requirements[-_./]?${kind}|${kind}[-_./]?requirements|requirements/requirements[-_.]${kind})\\.txt$`,
  );
}

/** A file that does not parse is for pip to complain about. */
function parseToml(text: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch {
    return {};
  }
}

function tableOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
