import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import path from "node:path";
import type { PlannedStep } from "../plan/plan.ts";

/** A step's command within a container. */
export interface Container {
  readonly argv: readonly [string, ...string[]];
  /** Removes the container, whatever is left of it. */
  end(): Promise<void>;
}

/** In the order in which they are looked for. */
const programs = ["docker", "podman"] as const;
const workFolder = "/workspace";
const removeTimeoutMs = 30_000;

/**
 * The command that runs a step in a container of its image, with the workspace mounted at `/workspace`; a sentence
 * where there is no program for it.
 *
 * Variables go by name: their values, of which some are secret, are in the environment of the program only.
 */
export async function containerOf(
  { argv, name, tty }: PlannedStep,
  image: string,
  workspace: string,
  environment: Readonly<Record<string, string>>,
  cookie: string,
): Promise<Container | string> {
  const program = await findProgram(environment["PATH"] ?? process.env["PATH"] ?? "");
  if (program === undefined)
    return `expected docker or podman to run step ${name} in ${image}, found neither on the PATH. Install one, or remove \`image\``;
  const container = `autobuild-${cookie.slice(0, 16)}-${Math.random().toString(36).slice(2, 10)}`;
  const variables = Object.keys(environment).filter((variable) => !ofThisMachine.has(variable));
  return {
    argv: [
      program,
      "run",
      "--rm",
      "--init",
      `--name=${container}`,
      `--user=${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
      ...(tty ? ["--tty"] : []),
      `--volume=${workspace}:${workFolder}`,
      `--workdir=${workFolder}`,
      ...variables.map((variable) => `--env=${variable}`),
      "--",
      image,
      ...argv,
    ],
    end: () =>
      new Promise((resolve) => {
        execFile(
          program,
          ["rm", "--force", container],
          { env: { ...environment }, timeout: removeTimeoutMs },
          () => resolve(),
        );
      }),
  };
}

/** What says where things are on this machine means nothing in a container. */
const ofThisMachine: ReadonlySet<string> = new Set([
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "TMPDIR",
  "XDG_RUNTIME_DIR",
  "XDG_CACHE_HOME",
  "XDG_CONFIG_HOME",
  "XDG_DATA_HOME",
  "CARGO_HOME",
  "RUSTUP_HOME",
  "GOPATH",
  "GOROOT",
  "JAVA_HOME",
  "PYENV_ROOT",
  "NVM_DIR",
]);

async function findProgram(searchPath: string): Promise<string | undefined> {
  for (const program of programs) {
    for (const folder of searchPath.split(path.delimiter)) {
      const file = path.join(folder, program);
      if (
        folder !== "" &&
        (await access(file, constants.X_OK).then(
          () => true,
          () => false,
        ))
      )
        return file;
    }
  }
  return undefined;
}
