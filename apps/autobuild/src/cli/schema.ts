import type { Command } from "./command.ts";
import { schemaCommand } from "./schema-command.ts";

export const schema: Command = {
  name: "schema",
  summary: "prints the JSON schema of the configuration",
  help: "Usage: autobuild schema\n\nPrints the JSON schema of the configuration in a repository.\n",
  run: ({ terminal }) => Promise.resolve(schemaCommand((text) => void terminal.write(text))),
};
