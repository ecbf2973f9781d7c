// `pnpm test`: every check of the repository, in order, and one closing line with the counts.
// All steps run even when an early one fails. `pnpm test -- NAME` hands NAME on to vitest and
// runs vitest alone.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { howToInstall, PROGRAMS, provide } from "./system-programs.ts";

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

const total: Count = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const filters = process.argv.slice(2);

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
// A build that a test starts must install for itself (see start.ts).
delete process.env["pnpm_config_verify_deps_before_run"];

if (filters.length === 0) {
  step("System programs", systemPrograms);
  step("Format (fix: pnpm format)", () => command("oxfmt", "--check"));
  step("Lint", () => command("oxlint"));
  step("Import direction", () => command("node", "scripts/check-imports.ts"));
  step("Types and type tests", () => command("tsc", "-b"));
  step("Package (builds, and can be published)", () =>
    command("pnpm", "--filter", "windsock", "build"),
  );
}
step("Tests", vitest);

for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;

function step(title: string, run: () => Count): void {
  console.log(`\n== ${title}`);
  const { passed, failed, skipped } = run();
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  if (failed > 0) failures.push(title);
}

function command(name: string, ...args: string[]): Count {
  const { status } = spawnSync(name, args, { stdio: "inherit" });
  return status === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** Hands each program's path to the tests; a missing one is a skip, or a failure under CI=true. */
function systemPrograms(): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const program of PROGRAMS) {
    const path = provide(program);
    if (path !== undefined) {
      console.log(`${program.title}: ${path}`);
      process.env[program.variable] = path;
      count.passed += 1;
    } else {
      console.log(
        `${program.title} is missing; tests that need it are skipped. ${howToInstall(program)}`,
      );
      count[process.env["CI"] === "true" ? "failed" : "skipped"] += 1;
    }
  }
  return count;
}

function vitest(): Count {
  const folder = mkdtempSync(join(tmpdir(), "windsock-test-"));
  const file = join(folder, "report.json");
  const args = [
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    ...filters,
  ];
  try {
    const ran = command("vitest", ...args);
    const report = JSON.parse(readFileSync(file, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
      numPendingTests: number;
      numTodoTests: number;
      testResults: { status: string; assertionResults: unknown[] }[];
    };
    const unloaded = report.testResults.filter(
      ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
    );
    return {
      passed: report.numPassedTests,
      // An error outside of tests fails vitest, but no test and no file.
      failed: Math.max(report.numFailedTests + unloaded.length, ran.failed),
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch (error) {
    console.error(`vitest left no report: ${String(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
