import path from "node:path";
import { parseArgs } from "node:util";
import { makeBackup, type BackupManifest } from "../backup/backup.ts";
import { restoreBackup } from "../backup/restore.ts";
import { AutobuildError, messageOf } from "../errors.ts";

export const backupHelp = `Usage: autobuild backup <new folder> --data-dir <path>
       autobuild restore <folder> --data-dir <path>

backup copies builds, logs, artifacts and settings into a new folder, while AutoBuild runs. The key that
secrets are encrypted with (autobuild.key) is left out: keep it elsewhere.

restore puts such a copy in the place of what the data folder holds. AutoBuild must not run. What was there
is moved aside, into before-restore-<time>.
`;

/** Where a command writes: lines, and what shows how far it has come where that is a terminal. */
export interface CommandOutput {
  write(text: string): void;
  /** Replaces the line that the last call wrote; undefined: there is no terminal. */
  readonly status?: ((text: string) => void) | undefined;
}

/** `autobuild backup <new folder>`. Returns the exit code. */
export async function backupCommand(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  cwd: string,
  output: CommandOutput,
): Promise<number> {
  const { folder, dataDir } = read(argv, environment, cwd);
  const manifest = await makeBackup(dataDir, folder, Date.now(), ({ part, fraction }) =>
    output.status?.(
      `${part}${fraction === null ? "" : ` ${String(Math.round(fraction * 100))} %`}`,
    ),
  );
  output.status?.("");
  output.write(`${folder} holds ${describe(manifest)}.\n`);
  return 0;
}

/** `autobuild restore <folder>`. Returns the exit code. */
export async function restoreCommand(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  cwd: string,
  output: CommandOutput,
): Promise<number> {
  const { folder, dataDir } = read(argv, environment, cwd);
  output.status?.(`restoring ${folder}`);
  const { manifest, before } = await restoreBackup(folder, dataDir, Date.now());
  output.status?.("");
  const aside = before === undefined ? "" : ` What was there is in ${before}.`;
  output.write(`${dataDir} holds ${describe(manifest)} again.${aside}\n`);
  return 0;
}

function describe({ files, bytes, madeMs }: BackupManifest): string {
  return `${files} files, ${(bytes / 1e6).toFixed(1)} MB, of ${new Date(madeMs).toISOString()}`;
}

function read(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  cwd: string,
): { folder: string; dataDir: string } {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { "data-dir": { type: "string" } },
    });
  } catch (error) {
    throw bad(messageOf(error));
  }
  const [folder, ...more] = parsed.positionals;
  if (folder === undefined || more.length > 0)
    throw bad(`Expected one folder, got ${parsed.positionals.length}.`);
  const dataDir = parsed.values["data-dir"] ?? environment["AUTOBUILD_DATA_DIR"];
  if (dataDir === undefined || dataDir === "")
    throw bad("Expected --data-dir, the folder that AutoBuild named when it started, got none.");
  return { folder: path.resolve(cwd, folder), dataDir: path.resolve(cwd, dataDir) };
}

function bad(message: string): AutobuildError {
  return new AutobuildError("AUTOBUILD_BAD_OPTION", `${message}\n\n${backupHelp}`);
}
