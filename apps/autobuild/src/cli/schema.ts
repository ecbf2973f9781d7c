import { configJsonSchema } from "../plan/config-schema.ts";
import { exitCode, type Command } from "./command.ts";

export const schema: Command = {
  name: "schema",
  summary: "prints the JSON schema of the configuration",
  help: "Usage: autobuild schema\n\nPrints the JSON schema of the configuration in a repository.\n",
  async run({ terminal }) {
    await terminal.json(configJsonSchema());
    return exitCode.done;
  },
};
