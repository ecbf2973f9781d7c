import path from "node:path";
import { parsePublicUrl } from "../auth/policy.ts";
import { parseDuration } from "../duration.ts";
import { AutobuildError, show } from "../errors.ts";
import { repositoryAround } from "../git/repository-around.ts";
import { parseSource } from "../git/source.ts";
import { defaultNiceness, maxNiceness } from "../run/niceness.ts";
import { readArguments } from "./command.ts";
import { dataDirOf } from "./data-folder.ts";

/** What the command line and the environment ask for. */
export type CommandLine =
  | { readonly type: "help" }
  | {
      readonly type: "run";
      readonly repositories: readonly string[];
      readonly host: string;
      readonly port: number;
      /** The origin by which people reach it through a proxy. */
      readonly publicUrl: string | undefined;
      /** What somebody may do who has not logged in, where it is said. */
      readonly anonymous: string | undefined;
      readonly dataDir: string;
      readonly passEnv: readonly string[];
      /** How much less urgent what builds run is than AutoBuild itself. */
      readonly niceness: number;
      /** Whether what is built ends with the server. */
      readonly stopBuilds: boolean;
      /** How long after its end a build's logs are sealed; null: never. */
      readonly sealAfterMs: number | null;
    };

export const help = `Usage: autobuild [serve] [repository ...] [options]

Builds each new commit of the repositories and shows every build live.
A repository is a path or a URL; without one it is the repository you are in.

  --port <n>         AUTOBUILD_PORT      port to listen on (8001; 0 takes a free one)
  --host <address>   AUTOBUILD_HOST      address to listen on (127.0.0.1)
  --data-dir <path>  AUTOBUILD_DATA_DIR  where logs, copies and workspaces are kept
                                         (~/.local/share/autobuild/<repository>)
  --public-url <url> AUTOBUILD_PUBLIC_URL  its address behind a proxy: https://ci.example.org
  --anonymous <role> AUTOBUILD_ANONYMOUS   what people may do without a login: none, viewer
                                         or builder (see autobuild user --help)
                     AUTOBUILD_REPOSITORY_ROOTS  folders, with colons between, in which repositories
                                         on this machine must lie (anywhere)
                     AUTOBUILD_HOOK_SECRET  what forges sign their webhooks with: /hooks/github and others
  --pass-env <name>                      a variable that builds inherit; may be repeated
  --niceness <n>     AUTOBUILD_NICENESS  how much less urgent what builds run is than AutoBuild
                                         itself: 0 as urgent, 19 least (10)
  --stop-builds                          end what is built when AutoBuild is ended by SIGTERM, too
  --seal-after <time>  AUTOBUILD_SEAL_AFTER  when the logs of a build that ended are compressed: 30m, 12h
                                         or never (1h)
  --help
`;

const defaults = { port: "8001", host: "127.0.0.1", sealAfter: "1h" } as const;

/**
 * Reads the command line; what it leaves open comes from the environment, then from the defaults.
 *
 * Each repository gets its own data folder unless one is named, under `$XDG_DATA_HOME/autobuild` or
 * `~/.local/share/autobuild`: two servers for two repositories do not meet, and nothing is put into a
 * work tree.
 */
export async function readCommandLine(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  cwd: string,
): Promise<CommandLine> {
  const { values, positionals } = parse(argv);
  if (values.help === true) return { type: "help" };

  const given = positionals.length > 0 ? positionals : [await expectRepositoryAround(cwd)];
  const sources = given.map((text) => parseSource(text, cwd));
  const dataDir = values["data-dir"] ?? environment["AUTOBUILD_DATA_DIR"];
  const publicUrl = values["public-url"] ?? environment["AUTOBUILD_PUBLIC_URL"];
  return {
    type: "run",
    // A path is made absolute here; a URL stays as it was given.
    repositories: sources.map(({ location }) => location),
    host: values.host ?? environment["AUTOBUILD_HOST"] ?? defaults.host,
    port: readPort(values.port ?? environment["AUTOBUILD_PORT"] ?? defaults.port),
    dataDir:
      dataDir === undefined || dataDir === ""
        ? dataDirOf(
            sources.map(({ label }) => label),
            sources[0]?.name ?? "",
            environment,
          )
        : path.resolve(cwd, dataDir),
    publicUrl: publicUrl === undefined || publicUrl === "" ? undefined : parsePublicUrl(publicUrl),
    anonymous: values.anonymous ?? environment["AUTOBUILD_ANONYMOUS"],
    passEnv: values["pass-env"] ?? [],
    niceness: readNiceness(
      values.niceness ?? environment["AUTOBUILD_NICENESS"] ?? String(defaultNiceness),
    ),
    stopBuilds: values["stop-builds"] ?? false,
    sealAfterMs: readSealAfter(
      values["seal-after"] ?? environment["AUTOBUILD_SEAL_AFTER"] ?? defaults.sealAfter,
    ),
  };
}

function parse(argv: readonly string[]) {
  // A package manager hands on the `--` that ends its own options.
  const args = argv[0] === "--" ? argv.slice(1) : [...argv];
  return readArguments(args, {
    port: { type: "string" },
    host: { type: "string" },
    "data-dir": { type: "string" },
    "public-url": { type: "string" },
    anonymous: { type: "string" },
    "pass-env": { type: "string", multiple: true },
    niceness: { type: "string" },
    "stop-builds": { type: "boolean" },
    "seal-after": { type: "string" },
  });
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port >= 0 && port <= 65_535) return port;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected a port from 0 to 65535, got ${show(text)}. Give one such as --port 8001.`,
  );
}

function readNiceness(text: string): number {
  const niceness = /^\d{1,2}$/.test(text) ? Number(text) : -1;
  if (niceness >= 0 && niceness <= maxNiceness) return niceness;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected a niceness from 0 to ${maxNiceness}, got ${show(text)}. Give one such as --niceness ${defaultNiceness}.`,
  );
}

function readSealAfter(text: string): number | null {
  if (text === "never") return null;
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected a time such as 30m or 12h, or never, got ${show(text)}. Give one such as --seal-after 1h.`,
  );
}

async function expectRepositoryAround(cwd: string): Promise<string> {
  try {
    return await repositoryAround(cwd);
  } catch (error) {
    throw new AutobuildError(
      "AUTOBUILD_BAD_SOURCE",
      `Expected to be in a git repository, and ${cwd} is in none. Go into one, or name one: autobuild ../project.`,
      { cause: error },
    );
  }
}
