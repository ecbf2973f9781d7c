import type { Checkout } from "../checkout.ts";
import { inSequence, step, type PlannedStep } from "../plan.ts";
import type { Tools } from "../tools.ts";
import type { Detector } from "./detector.ts";

const packageFile = "package.json";
const npmLocks = ["package-lock.json", "npm-shrinkwrap.json"] as const;
const scriptNames = ["build", "lint", "test"];

/** The versions that are fetched when a project does not say which, and the program is not installed. */
const fallbackVersions = { pnpm: "12", yarnClassic: "1.22.22", yarn: "4", bun: "1" } as const;

/** What `npm init` writes; it only fails. */
const placeholderTest = /no test specified/;

/** JavaScript projects: install what is locked, then the scripts `build`, `lint` and `test` where they exist. */
export const node = {
  files: ["pnpm-lock.yaml", "yarn.lock", "bun.lock", "package-lock.json", packageFile],
  async detect(checkout, tools) {
    const text = await checkout.read(packageFile);
    if (text === undefined) return undefined;
    const manifest = parseManifest(text);
    const manager = await chooseManager(checkout, tools, manifest.packageManager);

    const scripts = scriptNames.filter((name) => {
      const script = manifest.scripts[name];
      return script !== undefined && !placeholderTest.test(script);
    });
    const steps: PlannedStep[] = [step("install", ...manager.command, ...manager.install)];
    for (const name of scripts) steps.push(step(name, ...manager.command, "run", name));
    const then =
      scripts.length === 0
        ? "which has no script build, lint or test"
        : `then its ${scripts.length === 1 ? "script" : "scripts"} ${scripts.join(", ").replace(/, ([^,]+)$/, " and $1")}`;
    return inSequence(`found ${manager.evidence}: install with ${manager.name}, ${then}`, steps);
  },
} satisfies Detector;

interface Manager {
  readonly name: string;
  /** What told that it is this one. */
  readonly evidence: string;
  readonly command: [string, ...string[]];
  readonly install: readonly string[];
}

async function chooseManager(
  checkout: Checkout,
  tools: Tools,
  packageManager: string,
): Promise<Manager> {
  const [, named = "", version] =
    /^(pnpm|yarn|bun|npm)@(\d+(?:\.\d+){0,2}(?:-[\w.]+)?)/.exec(packageManager) ?? [];
  const inManifest = `packageManager ${named} in ${packageFile}`;

  const hasPnpmLock = await checkout.hasFile("pnpm-lock.yaml");
  if (named === "pnpm" || (named === "" && hasPnpmLock)) {
    return {
      name: "pnpm",
      evidence: hasPnpmLock ? "pnpm-lock.yaml" : inManifest,
      command: (await tools.hasProgram("pnpm"))
        ? ["pnpm"]
        : ["npx", "-y", `pnpm@${version ?? fallbackVersions.pnpm}`],
      install: ["install", hasPnpmLock ? "--frozen-lockfile" : "--no-frozen-lockfile"],
    };
  }

  const hasYarnLock = await checkout.hasFile("yarn.lock");
  if (named === "yarn" || (named === "" && hasYarnLock)) {
    const isClassic =
      version === undefined ? !(await checkout.hasFile(".yarnrc.yml")) : version.startsWith("1.");
    const fetched = isClassic
      ? `yarn@${version ?? fallbackVersions.yarnClassic}`
      : `@yarnpkg/cli-dist@${version ?? fallbackVersions.yarn}`;
    const frozen = isClassic ? "--frozen-lockfile" : "--immutable";
    return {
      name: "yarn",
      evidence: hasYarnLock ? "yarn.lock" : inManifest,
      command: (await tools.hasProgram("yarn")) ? ["yarn"] : ["npx", "-y", fetched],
      install: hasYarnLock ? ["install", frozen] : ["install"],
    };
  }

  const bunLock = await checkout.firstFile("bun.lock", "bun.lockb");
  if (named === "bun" || (named === "" && bunLock !== undefined)) {
    return {
      name: "bun",
      evidence: bunLock ?? inManifest,
      command: (await tools.hasProgram("bun"))
        ? ["bun"]
        : ["npx", "-y", `bun@${version ?? fallbackVersions.bun}`],
      install: bunLock === undefined ? ["install"] : ["install", "--frozen-lockfile"],
    };
  }

  const lock = await checkout.firstFile(...npmLocks);
  return {
    name: "npm",
    evidence: lock ?? packageFile,
    command: ["npm"],
    install:
      lock === undefined
        ? ["install", "--no-audit", "--no-fund"]
        : ["ci", "--no-audit", "--no-fund"],
  };
}

/** The two fields we use, whatever else is in the file. A broken file is the package manager's to complain about. */
function parseManifest(text: string): {
  scripts: Record<string, string | undefined>;
  packageManager: string;
} {
  const scripts: Record<string, string | undefined> = Object.create(null);
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    return { scripts, packageManager: "" };
  }
  if (typeof manifest !== "object" || manifest === null) return { scripts, packageManager: "" };
  if ("scripts" in manifest && typeof manifest.scripts === "object" && manifest.scripts !== null) {
    for (const [name, script] of Object.entries(manifest.scripts))
      if (typeof script === "string") scripts[name] = script;
  }
  const packageManager =
    "packageManager" in manifest && typeof manifest.packageManager === "string"
      ? manifest.packageManager
      : "";
  return { scripts, packageManager };
}
