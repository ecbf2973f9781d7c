const about = `Usage: windsock <command> [options]

  start       serves the services of a folder
  dev         the same, and starts again when a file changes
  routes      lists the services and their URLs
  broadcast   sends a message to a service that runs somewhere

  windsock <command> --help   shows the options of a command
  windsock --version
`;

const serving = `  --port <n>         the port to listen on; 0 takes a free one (PORT, else 8001)
  --host <address>   the address to listen on; others than loopback can be
                     reached from outside (127.0.0.1)
  --base <path>      the path that all URLs lie below, such as /app
  --services <path>  the folder of services (src/websocket)
  --public <path>    a folder of files to serve (public, if there is one)
  --drain-timeout-ms <n>
                     how long a stop may take`;

const environment = `  WINDSOCK_SECRET    signs the session cookie: at least 32 characters
  WINDSOCK_TOKEN     switches on broadcasting over HTTP: at least 16 characters`;

export type CommandName = "start" | "dev" | "routes" | "broadcast";

const helpOf: Readonly<Record<CommandName, string>> = {
  start: `Usage: windsock start [options]

Serves the services of a folder until SIGTERM or SIGINT. Then clients are told to come back,
what is under way ends, and the exit code is 0; it is 1 if that took too long. A second signal
ends at once.

${serving} (10000)

${environment}
`,
  dev: `Usage: windsock dev [options]

As \`windsock start\`, and starts again when a file below src/ or the services folder changes.
Clients are closed with 1012 and may come back at once. A file that is wrong is reported; the next
change is another try.

${serving} (2000)
  --types <file>     the file that makes the services' names known to the
                     compiler, kept current (windsock.d.ts beside the services
                     folder, if there is a tsconfig.json)

${environment}
`,
  routes: `Usage: windsock routes [options]

Lists the services of a folder: name, URL, file and keys. No file is run.

  --json             as JSON
  --types <file>     writes a file that makes the names known to the compiler,
                     such as src/windsock.d.ts, instead
  --base <path>      the path that all URLs lie below, such as /app
  --services <path>  the folder of services (src/websocket)
`,
  broadcast: `Usage: windsock broadcast <service> <text> [options]
       windsock broadcast <service> --file <path> [options]

Sends a message to a service that runs: its \`handleBroadcast\`, or each of its clients. The service
is named as in code: status, room/42. Text that begins with a dash stands after --.

  --file <path>      sends the bytes of a file; - reads them from stdin
  --json             the message is JSON
  --binary           the message is bytes, not text
  --url <url>        where the server is, its base path included (http://localhost:8001)
  --token <token>    the server's publish token (WINDSOCK_TOKEN, which other users of the
                     machine cannot see in the list of processes)
  --retries <n>      how often to try again when the service has no room (3)

The exit code is 0 when the service has taken the message, 1 when not.
`,
};

export const commandNames = Object.keys(helpOf) as readonly CommandName[];

export function isCommandName(text: string): text is CommandName {
  return Object.hasOwn(helpOf, text);
}

/** What `--help` prints, of one command or of all. */
export function help(command?: CommandName): string {
  return command === undefined ? about : helpOf[command];
}
