// Programs that the tests use and no package brings: found on PATH, or installed where we may.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface SystemProgram {
  readonly title: string;
  /** Set to the program's path for the tests; a value set beforehand is taken as it is. */
  readonly variable: string;
  readonly commands: readonly string[];
  readonly debianPackage: string;
}

export const PROGRAMS: readonly SystemProgram[] = [
  {
    title: "Chromium",
    variable: "WINDSOCK_CHROMIUM",
    commands: ["chromium", "chromium-browser", "google-chrome"],
    debianPackage: "chromium",
  },
];

/** Returns the program's path, or undefined where it is missing and could not be installed. */
export function provide(program: SystemProgram): string | undefined {
  const found = process.env[program.variable] || find(program.commands);
  if (found !== undefined || !mayInstall()) return found;
  console.log(`${program.title} is missing: installing the package ${program.debianPackage}`);
  run("apt-get", ["update", "-qq"]);
  run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", program.debianPackage]);
  return find(program.commands);
}

/** The line that tells how to install the program. */
export function howToInstall(program: SystemProgram): string {
  return existsSync("/etc/debian_version")
    ? `sudo apt-get update && sudo apt-get install -y ${program.debianPackage}`
    : `install ${program.title} and set ${program.variable} to its path`;
}

/** The first of the commands that an executable on `path` answers to. */
export function find(
  commands: readonly string[],
  path = process.env["PATH"] ?? "",
): string | undefined {
  return commands
    .flatMap((command) => path.split(delimiter).map((folder) => join(folder, command)))
    .find((file) => isExecutable(file));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function mayInstall(): boolean {
  return existsSync("/etc/debian_version") && process.getuid?.() === 0;
}

function run(command: string, args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Only its errors are of interest; a failure shows in that the program is still missing.
  spawnSync(command, args, { stdio: ["ignore", "ignore", "inherit"], env });
}
