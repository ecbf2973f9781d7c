import path from "node:path";
import { makeBackup, type BackupManifest } from "../backup/backup.ts";
import { restoreBackup } from "../backup/restore.ts";
import {
  dataDirOption,
  exitCode,
  onlyOne,
  readArguments,
  UsageError,
  type Command,
  type Invocation,
} from "./command.ts";

const help = `Usage: autobuild backup <new folder> --data-dir <path>
       autobuild restore <folder> --data-dir <path>

backup copies builds, logs, artifacts and settings into a new folder, while AutoBuild runs. The key that
secrets are encrypted with (autobuild.key) is left out: keep it elsewhere.

restore puts such a copy in the place of what the data folder holds. AutoBuild must not run. What was there
is moved aside, into before-restore-<time>.
`;

export const backup: Command = {
  name: "backup",
  summary: "copies everything into a new folder, while the server runs",
  help,
  async run(invocation) {
    const { terminal } = invocation;
    const { folder, dataDir } = readFolders(invocation);
    const manifest = await makeBackup(dataDir, folder, Date.now(), ({ part, fraction }) =>
      terminal.status(fraction === null ? part : `${part} ${Math.round(fraction * 100)} %`),
    );
    terminal.status("");
    await terminal.print(`${folder} holds ${describe(manifest)}.`);
    return exitCode.done;
  },
};

export const restore: Command = {
  name: "restore",
  summary: "puts such a copy into a data folder",
  help,
  async run(invocation) {
    const { terminal } = invocation;
    const { folder, dataDir } = readFolders(invocation);
    terminal.status(`restoring ${folder}`);
    const { manifest, before } = await restoreBackup(folder, dataDir, Date.now());
    terminal.status("");
    const aside = before === undefined ? "" : ` What was there is in ${before}.`;
    await terminal.print(`${dataDir} holds ${describe(manifest)} again.${aside}`);
    return exitCode.done;
  },
};

function describe({ files, bytes, madeMs }: BackupManifest): string {
  return `${files} files, ${(bytes / 1e6).toFixed(1)} MB, of ${new Date(madeMs).toISOString()}`;
}

/** The data folder is never guessed here: a restore puts another in its place. */
function readFolders({ argv, environment, cwd }: Invocation): { folder: string; dataDir: string } {
  const { values, positionals } = readArguments(argv, dataDirOption);
  const folder = onlyOne(positionals, "one folder");
  const dataDir = values["data-dir"] ?? environment["AUTOBUILD_DATA_DIR"];
  if (dataDir === undefined || dataDir === "")
    throw new UsageError(
      "Expected --data-dir, the folder that AutoBuild named when it started, got none.",
    );
  return { folder: path.resolve(cwd, folder), dataDir: path.resolve(cwd, dataDir) };
}
