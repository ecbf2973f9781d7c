import packageJson from "../../package.json" with { type: "json" };
import { WindsockError } from "../errors.ts";
import { readCommandLine, type CommandLine } from "./command-line.ts";
import { UsageError } from "./usage-error.ts";

try {
  await run(readCommandLine(process.argv.slice(2), process.env));
} catch (error) {
  const isExpected = error instanceof UsageError || error instanceof WindsockError;
  console.error(isExpected ? error.message : error);
  // What a service has opened as it was loaded would keep the process alive.
  process.exit(error instanceof UsageError ? 2 : 1);
}

/** A command loads what it needs: a build script that broadcasts does not wait for a server's code. */
async function run(command: CommandLine): Promise<void> {
  switch (command.type) {
    case "help":
      console.log(command.text.trimEnd());
      return;
    case "version":
      console.log(packageJson.version);
      return;
    case "start":
      return (await import("./start.ts")).start(command.options);
    case "dev":
      return (await import("./dev.ts")).dev(command.options, command.args);
    case "dev-server":
      return (await import("./dev-server.ts")).devServer(command.options);
    case "routes":
      return (await import("./routes.ts")).routes(command.options);
    case "broadcast":
      return (await import("./broadcast.ts")).broadcast(command.options);
  }
}
