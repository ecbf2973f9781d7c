import { parseArgs } from "node:util";
import { commandNames, help, isCommandName, type CommandName } from "./help.ts";
import { UsageError } from "./usage-error.ts";

/** Which server to run. What is undefined was not asked for. */
export interface ServeOptions {
  readonly port: number | undefined;
  readonly host: string | undefined;
  readonly base: string | undefined;
  readonly services: string;
  readonly publicFolder: string | undefined;
  readonly drainTimeoutMs: number | undefined;
}

export interface DevOptions extends ServeOptions {
  /** The file of the services' names. */
  readonly types: string | undefined;
}

export interface RoutesOptions {
  readonly services: string;
  readonly base: string | undefined;
  readonly json: boolean;
  /** The file of the services' names, to be written instead of a list. */
  readonly types: string | undefined;
}

/** Where the message of a broadcast comes from. */
export type MessageSource =
  | { readonly type: "text"; readonly text: string }
  /** `-`: stdin. */
  | { readonly type: "file"; readonly path: string };

export interface BroadcastOptions {
  readonly service: string;
  readonly message: MessageSource;
  readonly kind: "text" | "json" | "binary";
  readonly url: string;
  readonly token: string | undefined;
  readonly retries: number;
}

/** What a command line asks for. */
export type CommandLine =
  | { readonly type: "help"; readonly text: string }
  | { readonly type: "version" }
  | { readonly type: "start"; readonly options: ServeOptions }
  /** `args`: those of the server that is started again and again. */
  | { readonly type: "dev"; readonly options: DevOptions; readonly args: readonly string[] }
  /** That server, in a process of its own. */
  | { readonly type: "dev-server"; readonly options: ServeOptions }
  | { readonly type: "routes"; readonly options: RoutesOptions }
  | { readonly type: "broadcast"; readonly options: BroadcastOptions };

const serveOptions = {
  port: { type: "string" },
  host: { type: "string" },
  base: { type: "string" },
  services: { type: "string" },
  public: { type: "string" },
  "drain-timeout-ms": { type: "string" },
} as const;

const optionsOf = {
  start: serveOptions,
  dev: { ...serveOptions, types: { type: "string" } },
  routes: {
    json: { type: "boolean" },
    types: { type: "string" },
    base: { type: "string" },
    services: { type: "string" },
  },
  broadcast: {
    file: { type: "string" },
    json: { type: "boolean" },
    binary: { type: "boolean" },
    url: { type: "string" },
    token: { type: "string" },
    retries: { type: "string" },
  },
} as const satisfies Record<CommandName, OptionTable>;

type OptionTable = Readonly<Record<string, { readonly type: "string" | "boolean" }>>;

/** The first word of a server process that `windsock dev` starts. Not for people: it needs its parent. */
export const devServerCommand = "dev-server";

/** @throws UsageError with a sentence about what is wrong */
export function readCommandLine(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CommandLine {
  const [word, ...args] = argv;
  switch (word) {
    case "--help":
    case "-h":
    case "help":
      return {
        type: "help",
        text: help(args[0] !== undefined && isCommandName(args[0]) ? args[0] : undefined),
      };
    case "--version":
    case "-v":
      return { type: "version" };
    case devServerCommand:
      return { type: "dev-server", options: readServe(parse("dev", args)) };
    case undefined:
      throw new UsageError(`Expected a command, got none.\n\n${help()}`);
  }
  if (!isCommandName(word)) {
    throw new UsageError(
      `Expected a command (${commandNames.join(", ")}), got ${JSON.stringify(word)}. \`windsock --help\` says what each does.`,
    );
  }
  const parsed = parse(word, args);
  if (parsed.help) return { type: "help", text: help(word) };
  switch (word) {
    case "start":
      return { type: "start", options: readServe(parsed) };
    case "dev":
      return { type: "dev", options: { ...readServe(parsed), types: parsed.text("types") }, args };
    case "routes":
      return { type: "routes", options: readRoutes(parsed) };
    case "broadcast":
      return { type: "broadcast", options: readBroadcast(parsed, environment) };
  }
}

/** The words of one command, checked against what it knows. */
class Parsed {
  readonly help: boolean;
  readonly command: CommandName;
  readonly positionals: readonly string[];
  readonly #values: ReadonlyMap<string, string | true>;

  constructor(
    command: CommandName,
    values: ReadonlyMap<string, string | true>,
    positionals: readonly string[],
  ) {
    this.command = command;
    this.help = values.has("help");
    this.positionals = positionals;
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return value === true ? undefined : value;
  }

  flag(name: string): boolean {
    return this.#values.has(name);
  }

  integer(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (value >= min && value <= max) return value;
    throw new UsageError(
      `Expected \`--${name}\` to be a whole number from ${min} to ${max}, got ${JSON.stringify(text)}.`,
    );
  }
}

function parse(command: CommandName, args: readonly string[]): Parsed {
  const known: OptionTable = optionsOf[command];
  const { tokens } = parseArgs({
    // A package manager hands on the `--` that ends its own options.
    args: args[0] === "--" && command !== "broadcast" ? args.slice(1) : [...args],
    options: { ...known, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const values = new Map<string, string | true>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const type =
      name === "help" ? "boolean" : Object.hasOwn(known, name) ? known[name]?.type : undefined;
    if (type === undefined) {
      const all = Object.keys(known).map((each) => `--${each}`);
      throw new UsageError(
        `Expected an option of \`windsock ${command}\` (${all.join(", ")}), got ${JSON.stringify(rawName)}.`,
      );
    }
    if (type === "string" && value === undefined)
      throw new UsageError(`Expected a value after \`--${name}\`, got none.`);
    if (type === "boolean" && value !== undefined)
      throw new UsageError(`Expected \`--${name}\` without a value, got ${JSON.stringify(value)}.`);
    values.set(name, value ?? true);
  }
  return new Parsed(command, values, positionals);
}

function readServe(parsed: Parsed): ServeOptions {
  noPositionals(parsed);
  return {
    port: parsed.integer("port", 0, 65_535),
    host: parsed.text("host"),
    base: parsed.text("base"),
    services: parsed.text("services") ?? defaultServices,
    publicFolder: parsed.text("public"),
    drainTimeoutMs: parsed.integer("drain-timeout-ms", 1, 3_600_000),
  };
}

const defaultServices = "src/websocket";

function readRoutes(parsed: Parsed): RoutesOptions {
  noPositionals(parsed);
  if (parsed.flag("json") && parsed.flag("types"))
    throw new UsageError("Expected `--json` or `--types`, got both. Leave one out.");
  return {
    services: parsed.text("services") ?? defaultServices,
    types: parsed.text("types"),
    base: parsed.text("base"),
    json: parsed.flag("json"),
  };
}

function readBroadcast(
  parsed: Parsed,
  environment: Readonly<Record<string, string | undefined>>,
): BroadcastOptions {
  const [service = "", text, ...more] = parsed.positionals;
  const file = parsed.text("file");
  if (service === "")
    throw new UsageError(
      'Expected a service and a text, got no service: `windsock broadcast status "build 1 started"`.',
    );
  if (more.length > 0)
    throw new UsageError(
      `Expected one text, got ${more.length + 1}: put quotes around it, ` +
        `\`windsock broadcast ${service} ${JSON.stringify([text, ...more].join(" "))}\`.`,
    );
  if (text !== undefined && file !== undefined)
    throw new UsageError("Expected a text or `--file`, got both. Leave one out.");
  if (parsed.flag("json") && parsed.flag("binary"))
    throw new UsageError("Expected `--json` or `--binary`, got both. Leave one out.");
  return {
    service,
    message: messageOf(service, text, file),
    kind: parsed.flag("json") ? "json" : parsed.flag("binary") ? "binary" : "text",
    url: parsed.text("url") ?? "http://localhost:8001",
    token: parsed.text("token") ?? (environment["WINDSOCK_TOKEN"] || undefined),
    retries: parsed.integer("retries", 0, 1000) ?? 3,
  };
}

function messageOf(
  service: string,
  text: string | undefined,
  file: string | undefined,
): MessageSource {
  if (file !== undefined) return { type: "file", path: file };
  if (text !== undefined) return { type: "text", text };
  throw new UsageError(
    `Expected a text for ${service}, got none: \`windsock broadcast ${service} "build 1 started"\`, ` +
      "or `--file -` to read it from stdin.",
  );
}

function noPositionals({ command, positionals }: Parsed): void {
  if (positionals.length === 0) return;
  throw new UsageError(
    `Expected only options after \`windsock ${command}\`, got ${JSON.stringify(positionals[0])}.`,
  );
}
