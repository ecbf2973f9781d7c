import { readdir, realpath, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ServiceFileError } from "../errors.ts";
import { isServiceFile, readRoutes, type Route, type RouteOptions } from "../gateway/routes.ts";
import { definitionOf, isService } from "../service/definition.ts";
import type { AnyService } from "../service/types.ts";
import { describe } from "../service/value.ts";

export interface ServiceFileOptions extends RouteOptions {
  /** Loads a module by its path. @default the runtime's own `import` */
  readonly importFile?: (file: string) => Promise<unknown>;
}

export interface LoadedService {
  readonly route: Route;
  readonly service: AnyService;
}

/** A sentence about one file, and what it threw, if it did. */
interface Problem {
  readonly message: string;
  readonly cause?: unknown;
}

/**
 * Loads the services of a folder: each file's default export, in the order of their names.
 *
 * A link is followed to a file within the folder. One that leads out of it, to a folder or to
 * nowhere is a problem, like every file that should hold a service and does not.
 *
 * @throws ServiceFileError about all problems of all files together. `cause` is what a file threw,
 * or an AggregateError of what several did.
 */
export async function loadServices(
  folder: string,
  options: ServiceFileOptions = {},
): Promise<LoadedService[]> {
  const { importFile = (file: string) => import(/* @vite-ignore */ pathToFileURL(file).href) } =
    options;
  const root = resolve(folder);
  const { routes, problems } = await readFolder(root, folder, options);

  const loaded: LoadedService[] = [];
  const fileOf = new Map<AnyService, string>();
  // One after the other, so that what modules do when they load happens in one order.
  for (const route of routes) {
    const found = await loadService(root, route, importFile);
    if ("message" in found) {
      problems.push(found);
      continue;
    }
    const { service } = found;
    const first = fileOf.get(service);
    if (first !== undefined) {
      problems.push({ message: sameService(first, route.file) });
      continue;
    }
    fileOf.set(service, route.file);
    loaded.push(found);
  }
  if (problems.length > 0) throw problemsError(folder, problems);
  return loaded;
}

/**
 * The routes that the files of a folder make. No file is loaded.
 *
 * @throws ServiceFileError about all names that no route can be made from
 */
export async function listRoutes(folder: string, options: RouteOptions = {}): Promise<Route[]> {
  const { routes, problems } = await readFolder(resolve(folder), folder, options);
  if (problems.length > 0) throw problemsError(folder, problems);
  return [...routes];
}

async function readFolder(
  root: string,
  folder: string,
  { base }: RouteOptions,
): Promise<{ readonly routes: readonly Route[]; readonly problems: Problem[] }> {
  const problems: Problem[] = [];
  const files = await listFiles(root, folder, problems);
  const reading = readRoutes(files, base === undefined ? {} : { base });
  return { routes: reading.routes, problems: [...problems, ...reading.problems] };
}

async function listFiles(root: string, folder: string, problems: Problem[]): Promise<string[]> {
  const found = await stat(root).catch(() => undefined);
  if (!found?.isDirectory()) throw new ServiceFileError(noFolder(folder, found !== undefined));
  const realRoot = await realpath(root);
  const files: string[] = [];

  const visit = async (directory: string): Promise<void> => {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      // A name that is left out is left out with all that is below it.
      if (entry.name.startsWith("_") || entry.name.startsWith(".")) continue;
      const path = join(directory, entry.name);
      const file = relative(root, path).split(sep).join("/");
      if (entry.isDirectory()) await visit(path);
      else if (entry.isSymbolicLink()) {
        const fault = await linkFault(path, file, realRoot);
        if (fault === undefined) files.push(file);
        else problems.push({ message: fault });
      } else if (entry.isFile()) files.push(file);
    }
  };
  await visit(root);
  return files;
}

async function linkFault(
  path: string,
  file: string,
  realRoot: string,
): Promise<string | undefined> {
  const target = await realpath(path).catch(() => undefined);
  const isDirectory = target !== undefined && (await stat(target)).isDirectory();
  if (!isDirectory && !isServiceFile(file)) return undefined;
  if (!isDirectory && target?.startsWith(realRoot + sep)) return undefined;
  const came = target === undefined ? "nowhere" : isDirectory ? "to a folder" : "out of it";
  return (
    `${file}: expected a link to lead to a file within the services folder, got one that leads ${came}. ` +
    "Put the file itself here, or begin the link's name with `_`."
  );
}

async function loadService(
  root: string,
  route: Route,
  importFile: (file: string) => Promise<unknown>,
): Promise<LoadedService | Problem> {
  let exported: unknown;
  try {
    exported = defaultOf(await importFile(join(root, route.file)));
  } catch (cause) {
    return { message: `${route.file}: expected a module that loads, got ${thrown(cause)}`, cause };
  }
  if (!isService(exported)) return { message: noService(route, exported) };
  const { params } = definitionOf(exported);
  const isSame =
    Array.isArray(params) &&
    params.length === route.params.length &&
    route.params.every((param, index) => param === params[index]);
  return isSame ? { route, service: exported } : { message: otherParams(route, params) };
}

function defaultOf(module: unknown): unknown {
  return typeof module === "object" && module !== null && "default" in module
    ? module.default
    : undefined;
}

/** Nothing here is a place that the author of a service can do something about. */
const ownCode = [
  new URL("../", import.meta.url).href,
  fileURLToPath(new URL("../", import.meta.url)),
];

/** The error's name and message, and the place that the author can do something about. */
function thrown(cause: unknown): string {
  if (!(cause instanceof Error)) return `${describe(cause)} thrown.`;
  const lines = (cause.stack ?? "").split("\n");
  // An error of syntax begins with its place; another one has it in the first line of its stack.
  const place = /^\S.*:\d+$/.test(lines[0] ?? "")
    ? `    at ${lines[0]}`
    : lines.find(
        (line) =>
          /^\s+at /.test(line) &&
          ![...ownCode, "node:internal/"].some((code) => line.includes(code)),
      );
  // What `npm init` writes makes every .ts file CommonJS.
  const isCommonJs = cause.name === "SyntaxError" && cause.message.endsWith("outside a module");
  const hint = isCommonJs ? '. Write `"type": "module"` into the package.json above it' : "";
  return `${cause.name}: ${cause.message}${hint}${place === undefined ? "" : `\n${place}`}`;
}

function noService(route: Route, exported: unknown): string {
  const came = exported === undefined ? "none" : describe(exported);
  return (
    `${route.file}: expected a default export made with \`defineService\`, got ${came}. Write\n` +
    `${example(route.params)}\n` +
    "or begin the file's name with `_` if it holds no service."
  );
}

function otherParams(route: Route, params: unknown): string {
  const line = (value: unknown): string => `\`params: ${JSON.stringify(value)}\``;
  return (
    `${route.file}: expected ${line(route.params)}, the keys in the file's name, got ${line(params)}. Write\n` +
    example(route.params)
  );
}

function sameService(first: string, second: string): string {
  return (
    `${first} and ${second} export the same service: expected each file to have its own. ` +
    "Call `defineService` in both; what they share can stand in a file whose name begins with `_`."
  );
}

function noFolder(folder: string, isFile: boolean): string {
  return (
    `Expected the services in the folder ${folder}, got ${isFile ? "a file" : "no such folder"}. ` +
    `Create the first service, ${folder}/status.ts:\n` +
    `    import { defineService } from "windsock";\n` +
    `    export default defineService({\n` +
    `      handleJoin(client) {\n` +
    `        client.send("Hello WebSocket!");\n` +
    `      },\n` +
    `    });`
  );
}

function example(params: readonly string[]): string {
  const first = params.length === 0 ? "" : ` params: ${JSON.stringify(params)},`;
  return (
    `    import { defineService } from "windsock";\n` +
    `    export default defineService({${first} /* callbacks */ });`
  );
}

function problemsError(folder: string, problems: readonly Problem[]): ServiceFileError {
  const head =
    problems.length === 1
      ? `A file in ${folder} has a problem:`
      : `${problems.length} problems in ${folder}:`;
  const message = [head, ...problems.map((each) => `- ${each.message}`)].join("\n");
  const causes = problems.filter((each) => "cause" in each).map((each) => each.cause);
  if (causes.length === 0) return new ServiceFileError(message);
  const cause = causes.length === 1 ? causes[0] : new AggregateError(causes);
  return new ServiceFileError(message, { cause });
}
