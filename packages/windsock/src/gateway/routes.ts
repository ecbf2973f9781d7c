import { OptionError, RouteError } from "../errors.ts";

/** One piece of a route, between two slashes. */
export type RouteSegment =
  | { readonly type: "static"; readonly text: string }
  | { readonly type: "key"; readonly param: string };

/** Where one service answers. Made from the place of its file in the services folder. */
export interface Route {
  /** The service's name, as typed names have it: `room/[id]`. */
  readonly name: string;
  /** The file, relative to the services folder, with `/` between folders: `room/[id].ts`. */
  readonly file: string;
  /** The keys in the name, in order: `["id"]`. Empty for a service that is one actor. */
  readonly params: readonly string[];
  /** The URL's path, base included: `/websocket/room/:id`. */
  readonly path: string;
  readonly segments: readonly RouteSegment[];
}

export interface RouteOptions {
  /** The path that all URLs lie below: `/app` gives `/app/websocket/status`. @default "" */
  readonly base?: string;
}

/** Routes that could be made, and a sentence for each file that none could be made from. */
export interface RouteReading {
  readonly routes: readonly Route[];
  readonly problems: readonly RouteProblem[];
}

export interface RouteProblem {
  readonly file: string;
  readonly message: string;
}

const extension = /\.(?:ts|mts|js|mjs)$/;
const noService = /\.d\.(?:ts|mts)$|\.(?:test|test-d|spec)\.[^.]+$/;
/** Chicago Boss's `ab_status_websocket`: the app is what stands before the first underscore. */
const longForm = /^[^_]+_(.+)_websocket$/;
const staticText = /^[A-Za-z0-9_-]+$/;
const keyText = /^\[([A-Za-z][A-Za-z0-9_]*)\]$/;

/**
 * Makes the routes of a services folder from the paths of its files.
 *
 * - `status.ts` answers at `/websocket/status`, and so does the long form `ab_status_websocket.ts`.
 * - `room/[id].ts` is a keyed service: `/websocket/room/:id`.
 * - Left out: files that are not `.ts`, `.mts`, `.js` or `.mjs`, declarations (`*.d.ts`), tests
 *   (`*.test.*`, `*.test-d.*`, `*.spec.*`), and whatever has a part that begins with `_` or `.`.
 *
 * @param files paths relative to the services folder, in any order
 * @throws RouteError naming every file that cannot be a URL, and both files of each URL made twice
 */
export function routesFromFiles(files: readonly string[], options: RouteOptions = {}): Route[] {
  const { routes, problems } = readRoutes(files, options);
  if (problems.length > 0) throw new RouteError(problems.map((each) => each.message).join("\n"));
  return [...routes];
}

/** `routesFromFiles` for a caller that has problems of its own to report beside these. */
export function readRoutes(files: readonly string[], options: RouteOptions = {}): RouteReading {
  const base = normalizeBase(options.base);
  const problems: RouteProblem[] = [];
  const byShape = new Map<string, Route>();
  // Sorted, so that of two files for one URL it is always the same one that is reported.
  for (const file of files.map((each) => each.replaceAll("\\", "/")).toSorted()) {
    if (!isServiceFile(file)) continue;
    const route = readRoute(file, base);
    if ("message" in route) {
      problems.push(route);
      continue;
    }
    const shape = shapeOf(route);
    const first = byShape.get(shape);
    if (first === undefined) byShape.set(shape, route);
    else problems.push({ file, message: twice(first, route) });
  }
  return { routes: [...byShape.values()], problems };
}

/** Whether a file of the services folder is meant to hold a service, by its name. */
export function isServiceFile(file: string): boolean {
  if (!extension.test(file) || noService.test(file)) return false;
  return file.split("/").every((part) => !part.startsWith("_") && !part.startsWith("."));
}

/** Makes the route of a service that has a name but no file: `room/[id]`. */
export function routeFromName(name: string, options: RouteOptions = {}): Route {
  const route = routeOf(name, name, normalizeBase(options.base));
  if ("message" in route) throw new RouteError(route.message);
  return route;
}

/** `/app/` and `/app` are `/app`; nothing and `/` are the empty string. */
export function normalizeBase(base: string | undefined): string {
  const trimmed = (base ?? "").replace(/\/$/, "");
  const hasDots = trimmed.split("/").some((part) => part === "." || part === "..");
  if ((trimmed === "" || /^(?:\/[A-Za-z0-9._~-]+)+$/.test(trimmed)) && !hasDots) return trimmed;
  throw new OptionError(
    `Expected \`base\` to be a path like "/app" (letters, digits, "-", "_", ".", "~"), ` +
      `got ${JSON.stringify(base)}.`,
  );
}

/** What two routes have in common that answer at the same URLs. */
export function shapeOf(route: Route): string {
  return route.segments.map((each) => (each.type === "static" ? each.text : ":")).join("/");
}

function readRoute(file: string, base: string): Route | RouteProblem {
  const parts = file.replace(extension, "").split("/");
  const last = parts.pop() ?? "";
  return routeOf([...parts, longForm.exec(last)?.[1] ?? last].join("/"), file, base);
}

function routeOf(name: string, file: string, base: string): Route | RouteProblem {
  const segments: RouteSegment[] = [];
  const params: string[] = [];
  for (const part of name.split("/")) {
    const param = keyText.exec(part)?.[1];
    if (param === undefined) {
      if (!staticText.test(part)) return { file, message: oddName(file, part) };
      segments.push({ type: "static", text: part });
    } else {
      if (params.includes(param)) return { file, message: keyTwice(file, param) };
      segments.push({ type: "key", param });
      params.push(param);
    }
  }
  const path = segments.map((each) => (each.type === "static" ? each.text : `:${each.param}`));
  return { name, file, params, segments, path: `${base}/websocket/${path.join("/")}` };
}

function oddName(file: string, part: string): string {
  const expected = part.includes("[")
    ? "a key to be a whole name in brackets, letters, digits and `_` after a first letter (`[id]`)"
    : 'names that a URL can be made from: letters, digits, "-" and "_", or a key (`[id]`)';
  return (
    `${file}: expected ${expected}, got ${JSON.stringify(part)}. ` +
    "Rename it, or begin its name with `_` if it holds no service."
  );
}

function keyTwice(file: string, param: string): string {
  return `${file}: expected each key to have a name of its own, got \`[${param}]\` twice. Rename one.`;
}

function twice(first: Route, second: Route): string {
  return (
    `${first.file} and ${second.file} both answer at ${first.path}: ` +
    "expected one file for each URL. Rename or remove one of them."
  );
}
