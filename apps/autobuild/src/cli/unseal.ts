import { messageOf } from "../errors.ts";
import { SealedLogWriter } from "../log/sealed-log-writer.ts";
import { SealedLogs } from "../log/sealed-logs.ts";
import { BuildFolders } from "../run/build-folders.ts";
import { DataLock } from "../store/data-lock.ts";
import { KeptStore } from "../store/kept-store.ts";
import { exitCode, UsageError, type Command } from "./command.ts";
import { databaseCommand } from "./database-command.ts";

export const unseal: Command = databaseCommand({
  name: "unseal",
  summary: "makes compressed logs files again, as for an older AutoBuild",
  help: `Usage: autobuild unseal [options]

Writes the logs that were moved into logs.sqlite back into files below builds/. AutoBuild must not run. Needs ten
to forty times the room that logs.sqlite takes. Whoever wants them to stay files starts it with --seal-after never.
`,
  options: {},
  async run({ positionals, withDatabase, terminal }) {
    if (positionals.length > 0)
      throw new UsageError(`Expected options only, got ${positionals.length} arguments.`);
    return withDatabase(async ({ database, dataDir }) => {
      const lock = new DataLock(dataDir);
      const sealed = new SealedLogs(dataDir, (message) => terminal.say(message));
      const writer = new SealedLogWriter(dataDir);
      try {
        const kept = new KeptStore(database);
        const folders = new BuildFolders(dataDir, sealed);
        const ids = writer.buildIds();
        let bytes = 0;
        let failures = 0;
        for (const [index, id] of ids.entries()) {
          terminal.status(`build ${id}, ${index + 1} of ${ids.length}`);
          try {
            bytes += writer.unseal(id, folders.of(id).path);
            kept.unseal(id, await folders.bytesOf(id));
          } catch (error) {
            failures += 1;
            terminal.say(`The logs of build ${id} stay sealed: ${messageOf(error)}`);
          }
        }
        terminal.status("");
        const done = ids.length - failures;
        terminal.say(
          `The logs of ${done} ${done === 1 ? "build" : "builds"} are files again, ${(bytes / 1e6).toFixed(1)} MB in all.`,
        );
        return failures === 0 ? exitCode.done : exitCode.failed;
      } finally {
        writer.close();
        sealed.close();
        lock.release();
      }
    });
  },
});
