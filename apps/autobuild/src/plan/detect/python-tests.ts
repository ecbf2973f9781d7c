import path from "node:path";
import type { Checkout } from "../checkout.ts";

/** How many test files are read to find out what they are written for. */
const maxReadFiles = 50;
/** More folders than that are not looked for one by one. */
const maxFolders = 50;

const testFile = /(?:^|\/)(?:test[^/]*|[^/]+_test)\.py$/;
const imports = /^\s*(?:import|from)\s+pytest\b/m;
const bareTest = /^(?:async\s+)?def\s+test/m;

/** One run of `unittest discover`. */
export interface Discovery {
  /** Relative to the checkout; "." is itself. */
  readonly folder: string;
  readonly pattern: "test*.py" | "*_test.py";
  /** What follows `discover`. */
  readonly args: readonly string[];
}

/** The tests of a Python project. */
export class PythonTests {
  readonly files: readonly string[];
  readonly #all: ReadonlySet<string>;
  readonly #checkout: Checkout;

  constructor(checkout: Checkout, files: readonly string[]) {
    this.#checkout = checkout;
    this.#all = new Set(files);
    this.files = files.filter((file) => testFile.test(file));
  }

  /** Whether they are written for pytest: it is configured, or a test is one that only pytest understands. */
  async areForPytest(): Promise<boolean> {
    for (const file of this.#all)
      if (/(?:^|\/)(?:conftest\.py|\.?pytest\.(?:ini|toml))$/.test(file)) return true;
    const configured = [
      ["pyproject.toml", /^\s*\[tool\.pytest\b/m],
      ["setup.cfg", /^\s*\[tool:pytest\]/m],
      ["tox.ini", /^\s*\[pytest\]/m],
    ] as const;
    for (const [file, section] of configured)
      if (section.test((await this.#checkout.read(file)) ?? "")) return true;
    for (const file of this.files.slice(0, maxReadFiles)) {
      const text = (await this.#checkout.read(file)) ?? "";
      if (imports.test(text) || bareTest.test(text)) return true;
    }
    return false;
  }

  /**
   * The runs of unittest that find them all: it goes down into packages only, and knows one pattern at a time.
   *
   * A test in a package is found from where its outermost package lies, so that its relative imports work.
   */
  discoveries(): Discovery[] {
    const found = new Map<string, Discovery>();
    for (const file of this.files) {
      let folder = path.dirname(file);
      while (folder !== "." && this.#all.has(path.join(folder, "__init__.py")))
        folder = path.dirname(folder);
      const pattern = path.basename(file).startsWith("test") ? "test*.py" : "*_test.py";
      const start = folder === "." ? [] : ["-s", folder];
      const args = pattern === "test*.py" ? start : [...start, "-p", pattern];
      found.set(args.join("\n"), { folder, pattern, args });
    }
    return [...found.values()].slice(0, maxFolders);
  }
}
