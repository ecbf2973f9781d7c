import { existsSync } from "node:fs";
import { ListenError, OptionError } from "../errors.ts";
import { normalizeBase } from "../gateway/routes.ts";
import type { ServerOptions } from "../node/options.ts";
import { nobodyAnswers, sendRefusal } from "../node/requests.ts";
import { createServer, type Server } from "../node/server.ts";
import { staticFiles } from "../node/static-files.ts";
import { formatReport, type Report } from "../service/report.ts";
import type { ServeOptions } from "./command-line.ts";
import { table } from "./table.ts";

const defaultPublicFolder = "public";

/** A server that listens, and what to tell about it: where it is and what it serves. */
export interface Served {
  readonly server: Server;
  readonly banner: string;
}

/** Starts the server that a command line asks for. */
export async function serve(
  options: ServeOptions,
  { isDev = false }: { readonly isDev?: boolean } = {},
): Promise<Served> {
  const publicFolder = publicFolderOf(options.publicFolder);
  const base = normalizeBase(options.base);
  surviveRejections();
  const server = await createServer({
    services: options.services,
    base,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.drainTimeoutMs === undefined
      ? {}
      : { limits: { drainTimeoutMs: options.drainTimeoutMs } }),
    ...(publicFolder === undefined ? {} : pages(publicFolder, base, isDev)),
    onReport: report,
  });
  return { server, banner: bannerOf(server, base, options.services, publicFolder) };
}

/** Whether an error lies in how the server was started, not in a file of a service. */
export function isMisuse(error: unknown): boolean {
  return error instanceof OptionError || error instanceof ListenError;
}

function publicFolderOf(asked: string | undefined): string | undefined {
  const folder = asked ?? defaultPublicFolder;
  if (existsSync(folder)) return folder;
  if (asked === undefined) return undefined;
  throw new OptionError(
    `Expected \`--public\` to be a folder, got ${JSON.stringify(asked)}, which is not there.`,
  );
}

/** While somebody works on the pages, the disk is looked at for each request. */
function pages(folder: string, base: string, isDev: boolean): ServerOptions {
  if (!isDev) return { publicFolder: folder };
  const files = staticFiles(folder, { dev: true, base });
  return {
    request: (request, response) =>
      files(request, response, () => sendRefusal(response, nobodyAnswers)),
  };
}

/** A promise that a service has forgotten must not take the other services with it. */
function surviveRejections(): void {
  process.on("unhandledRejection", (error: unknown) =>
    report({ type: "failure", where: "a promise that nobody waits for", error }),
  );
}

function report(one: Report): void {
  console.error(formatReport(one));
}

function bannerOf(
  server: Server,
  base: string,
  services: string,
  publicFolder: string | undefined,
): string {
  const url = shownUrl(server.url);
  const rows = server
    .routes()
    .map(({ name, path, file }) => [
      `  ${name}`,
      `${url.replace(/^http/, "ws")}${path}`,
      `${services.replace(/\/$/, "")}/${file}`,
    ]);
  const page = publicFolder === undefined ? [] : [["  pages", `${url}${base}/`, publicFolder]];
  const none = rows.length === 0 ? `\n  There is no service in ${services} yet.` : "";
  const list = rows.length + page.length === 0 ? "" : `\n${table([...rows, ...page])}`;
  return `Windsock listens on ${url}${none}${list}`;
}

/** The name that people type: pages are of the same origin as their sockets only under one name. */
function shownUrl(url: string): string {
  return url.replace("//127.0.0.1:", "//localhost:");
}
