import { readdirSync } from "node:fs";
import path from "node:path";
import { AutobuildError } from "../errors.ts";
import { repositoryAround } from "../git/repository-around.ts";
import { dataDirOf, shareFolder } from "./data-folder.ts";
import { readServerFile } from "./server-file.ts";

/** Where a command was told to look. */
export interface Where {
  readonly "data-dir"?: string | undefined;
  readonly url?: string | undefined;
}

/** A server to talk to. */
export interface FoundServer {
  readonly url: string;
  readonly token: string | undefined;
  /** Undefined: it runs on another machine, or may. */
  readonly dataDir: string | undefined;
}

const defaultUrl = "http://localhost:8001";

/**
 * Finds the server that is meant: by `--url`, by `--data-dir`, or the one on this machine that builds the repository
 * the command was typed in, or the only one.
 */
export async function findServer(
  where: Where,
  environment: NodeJS.ProcessEnv,
  cwd: string,
): Promise<FoundServer> {
  const token = filled(environment["AUTOBUILD_TOKEN"]);
  const url = where.url ?? filled(environment["AUTOBUILD_URL"]);
  if (url !== undefined) return { url: checkUrl(url), token, dataDir: undefined };
  const dataDir = where["data-dir"] ?? filled(environment["AUTOBUILD_DATA_DIR"]);
  if (dataDir !== undefined) {
    const folder = path.resolve(cwd, dataDir);
    const server = readServerFile(folder);
    if (server !== undefined) return { ...server, dataDir: folder };
    throw new AutobuildError(
      "AUTOBUILD_STOPPED",
      `Expected an AutoBuild that runs with the data folder ${folder}, got none. Start it, or give its --url.`,
    );
  }
  const running = runningServers(environment);
  const here = await repositoryAround(cwd).catch(() => undefined);
  const own = running.filter(
    ({ repositories }) => here !== undefined && repositories.includes(here),
  );
  const candidates = own.length > 0 ? own : running;
  const [only, ...others] = candidates;
  if (only === undefined) return { url: defaultUrl, token, dataDir: undefined };
  if (others.length === 0) return only;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected to know which AutoBuild is meant, and ${candidates.length} run here: ${candidates.map((each) => each.url).join(", ")}. Give its --url or --data-dir.`,
  );
}

/** The data folder that is meant, whether or not a server uses it now. */
export async function findDataDir(
  where: Where,
  environment: NodeJS.ProcessEnv,
  cwd: string,
): Promise<string> {
  const given = where["data-dir"] ?? filled(environment["AUTOBUILD_DATA_DIR"]);
  if (given !== undefined) return path.resolve(cwd, given);
  const running = runningServers(environment);
  const here = await repositoryAround(cwd).catch(() => undefined);
  const own = running.find(({ repositories }) => here !== undefined && repositories.includes(here));
  if (own !== undefined) return own.dataDir;
  if (here !== undefined) return dataDirOf([here], path.basename(here), environment);
  const [only, ...others] = running;
  if (only !== undefined && others.length === 0) return only.dataDir;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    "Expected to know which data folder is meant. Give it (--data-dir <path>; AutoBuild prints it when it starts), or go into the repository that is built.",
  );
}

/** Those that use a default data folder, and those that follow the same convention. */
function runningServers(environment: NodeJS.ProcessEnv) {
  const share = shareFolder(environment);
  let names: string[];
  try {
    names = readdirSync(share);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const dataDir = path.join(share, name);
    const server = readServerFile(dataDir);
    return server === undefined ? [] : [{ ...server, dataDir }];
  });
}

function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url.href.replace(/\/$/, "");
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected the URL of an AutoBuild, such as ${defaultUrl}, got ${JSON.stringify(text)}.`,
  );
}

function filled(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
