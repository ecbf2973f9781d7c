import type { Repository } from "../build/repository.ts";
import { parseSource } from "../git/source.ts";
import { plainText } from "../plain-text.ts";
import { exitCode, onlyOne, type Command } from "./command.ts";
import { jsonOption, serverCommand } from "./server-command.ts";

export const add: Command = serverCommand({
  name: "add",
  summary: "has a running server build one more repository",
  help: `Usage: autobuild add <path or URL> [options]

From now on, and also after a restart. A URL must hold no password: keep those where git finds them.
`,
  options: jsonOption,
  async run({ values, positionals, cwd, terminal, findServer }) {
    const source = onlyOne(positionals, "one repository");
    const api = await findServer();
    // A relative path counts from here.
    const { location } = parseSource(source, cwd);
    const repository = await api.post<Repository>("/api/repositories", { source: location });
    if (values.json === true) await terminal.json(repository);
    else await terminal.print(plainText(`${repository.label} is built from now on.`));
    return exitCode.done;
  },
});
