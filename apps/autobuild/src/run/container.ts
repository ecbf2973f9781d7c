import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import path from "node:path";
import type { PlannedStep } from "../plan/plan.ts";
import { sharesOf } from "./niceness.ts";

/** A step's command within a container. */
export interface Container {
  readonly argv: readonly [string, ...string[]];
  /** Removes the container, whatever is left of it. */
  end(): Promise<void>;
}

/** A program that runs containers, and whether it is podman: by that name, or by docker's. */
interface Engine {
  readonly program: string;
  readonly isPodman: boolean;
}

/** In the order in which they are looked for; the first that answers is taken. */
const programs = ["docker", "podman"] as const;
const workFolder = "/workspace";
const removeTimeoutMs = 30_000;
const answerTimeoutMs = 10_000;

/**
 * The command that runs a step in a container of its image, with the workspace mounted at `/workspace`; a sentence
 * where there is no program for it.
 *
 * It runs as the user that AutoBuild runs as, so that the files in the workspace are that user's. Such a user has
 * no home in most images: unless that is root or the configuration says otherwise, `HOME` is `/tmp`.
 *
 * Docker's server starts the container, which therefore is as urgent as that is, and gets fewer shares of the processor
 * instead. Podman starts it itself: it is as nice as podman is.
 *
 * Variables go by name: their values, of which some are secret, are in the environment of the program only.
 */
export async function containerOf(
  { argv, name, tty }: PlannedStep,
  image: string,
  workspace: string,
  environment: Readonly<Record<string, string>>,
  cookie: string,
  niceness: number,
): Promise<Container | string> {
  const engine = await findEngine(environment);
  if (engine === undefined)
    return `expected docker or podman to run step ${name} in ${image}, found neither on the PATH. Install one, or remove \`image\``;
  const container = `autobuild-${cookie.slice(0, 16)}-${Math.random().toString(36).slice(2, 10)}`;
  const { program, isPodman } = engine;
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const variables = Object.keys(environment).filter((variable) =>
    isForContainer(variable, environment),
  );
  return {
    argv: [
      program,
      "run",
      "--rm",
      "--init",
      `--name=${container}`,
      `--user=${uid}:${gid}`,
      // Without it, podman that is not root's has another user's files in the workspace: it cannot write there.
      ...(isPodman && uid !== 0 ? ["--userns=keep-id"] : []),
      ...(!isPodman && niceness > 0 ? [`--cpu-shares=${sharesOf(niceness)}`] : []),
      ...(tty ? ["--tty"] : []),
      `--volume=${workspace}:${workFolder}`,
      `--workdir=${workFolder}`,
      ...(uid === 0 || variables.includes("HOME") ? [] : ["--env=HOME=/tmp"]),
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

/** Whether a step in a container gets a variable: what the configuration sets always, else not where things are here. */
function isForContainer(variable: string, environment: Readonly<Record<string, string>>): boolean {
  return !ofThisMachine.has(variable) || environment[variable] !== process.env[variable];
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
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
]);

/** The first program on the path that answers; where none does the first, which says itself what it lacks. */
async function findEngine(
  environment: Readonly<Record<string, string>>,
): Promise<Engine | undefined> {
  const searchPath = environment["PATH"] ?? process.env["PATH"] ?? "";
  const found: string[] = [];
  for (const name of programs) {
    const program = await findProgram(name, searchPath);
    if (program === undefined) continue;
    found.push(program);
    const version = await versionOf(program, environment);
    if (version !== undefined) return { program, isPodman: /^Client:\s+Podman/m.test(version) };
  }
  const [program] = found;
  return program === undefined ? undefined : { program, isPodman: program.endsWith("podman") };
}

/** What `version` says; undefined where that fails, as docker's does while its server is not reached. */
function versionOf(
  program: string,
  environment: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const env = { ...environment };
  return new Promise((resolve) => {
    execFile(program, ["version"], { env, timeout: answerTimeoutMs }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
}

async function findProgram(name: string, searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(path.delimiter)) {
    const file = path.join(folder, name);
    if (
      folder !== "" &&
      (await access(file, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return file;
  }
  return undefined;
}
