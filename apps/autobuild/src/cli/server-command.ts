import type { ParseArgsOptionsConfig } from "node:util";
import { ApiClient } from "./api-client.ts";
import {
  readArguments,
  whereHelp,
  whereOptions,
  type Command,
  type Invocation,
} from "./command.ts";

/** For commands whose answer is data too. */
export const jsonOption = { json: { type: "boolean" } } as const satisfies ParseArgsOptionsConfig;

type Arguments<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof readArguments<Options & typeof whereOptions>
>;

/** What a command that asks a server works with. */
export type Asked<Options extends ParseArgsOptionsConfig> = Omit<Invocation, "argv"> &
  Arguments<Options> & {
    /** Finds the server that is meant. Ask for it when the command line is known to be right. */
    readonly findServer: () => Promise<ApiClient>;
  };

/** Makes a command that asks a server: where that is found is the same for all of them. */
export function serverCommand<const Options extends ParseArgsOptionsConfig>(definition: {
  readonly name: string;
  readonly summary: string;
  /** Without where the server is and `--json`, and without a newline at its end. */
  readonly help: string;
  /** Besides those by which the server is found. */
  readonly options: Options;
  run(asked: Asked<Options>): Promise<number>;
}): Command {
  const { name, summary, help, options } = definition;
  return {
    name,
    summary,
    help: `${help}\n${"json" in options ? "  --json\n" : ""}${whereHelp}\n`,
    run({ argv, ...invocation }) {
      const read = readArguments(argv, { ...options, ...whereOptions });
      const { environment, cwd } = invocation;
      return definition.run({
        ...invocation,
        ...read,
        findServer: () => ApiClient.find(read.values, environment, cwd),
      });
    },
  };
}
