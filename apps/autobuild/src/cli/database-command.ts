import type { ParseArgsOptionsConfig } from "node:util";
import {
  dataDirHelp,
  dataDirOption,
  readArguments,
  type Command,
  type Invocation,
} from "./command.ts";
import { withDatabase, type OpenedDatabase } from "./with-database.ts";

type Arguments<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof readArguments<Options & typeof dataDirOption>
>;

/** What a command that works on a database works with. */
export type Opening<Options extends ParseArgsOptionsConfig> = Omit<Invocation, "argv"> &
  Arguments<Options> & {
    /** Opens the database that is meant, while `use` runs. Ask for it when the command line is known to be right. */
    readonly withDatabase: <Result>(
      use: (opened: OpenedDatabase) => Promise<Result>,
    ) => Promise<Result>;
  };

/** Makes a command that works on the database of a data folder: where that is found is the same for all of them. */
export function databaseCommand<const Options extends ParseArgsOptionsConfig>(definition: {
  readonly name: string;
  readonly summary: string;
  /** Without `--data-dir` and `--json`, and without a newline at its end. */
  readonly help: string;
  /** Besides `--data-dir`. */
  readonly options: Options;
  run(opening: Opening<Options>): Promise<number>;
}): Command {
  const { name, summary, help, options } = definition;
  return {
    name,
    summary,
    help: `${help}\n${dataDirHelp}\n${"json" in options ? "  --json\n" : ""}`,
    run({ argv, ...invocation }) {
      const read = readArguments(argv, { ...options, ...dataDirOption });
      const { environment, cwd } = invocation;
      return definition.run({
        ...invocation,
        ...read,
        withDatabase: (use) => withDatabase(read.values, environment, cwd, use),
      });
    },
  };
}
