import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { compactScript, compactStyle, specifiersOf } from "./page-text.ts";

/** One file of the page as browsers get it. */
export interface Asset {
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The same, compressed. */
  readonly gzip: Uint8Array<ArrayBuffer>;
}

/** The page: its HTML, and by URL what that needs. */
export interface PageAssets {
  /** A hash of everything. It is a part of every URL, so that browsers may keep the files for good. */
  readonly version: string;
  /** Of each page: they differ in what is fetched at once. */
  readonly html: Readonly<Record<PageName, string>>;
  /** `/assets/<version>/page/main.js` */
  readonly files: ReadonlyMap<string, Asset>;
}

/** The pages of the one script, as `data-page` has them. */
export type PageName = "console" | "build" | "wall";

/** Modules that a page loads besides, by itself, when it is the one that is opened. */
const later: Readonly<Record<PageName, readonly string[]>> = {
  console: [],
  build: ["page/build-pane.ts", "page/log/mount.ts"],
  wall: ["page/wall.ts"],
};

const source = new URL("./", import.meta.url);
const entry = new URL("page/main.ts", source);
/** In the order of the cascade. One that is not there is left out. */
const styleSheets = [
  "page/style.css",
  "page/overview.css",
  "page/console.css",
  "page/build.css",
  "page/wall.css",
  "page/log/log.css",
];

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

interface Module {
  readonly name: string;
  readonly text: string;
  /** What it needs before it runs. */
  readonly imports: readonly string[];
}

/**
 * Reads the page and the modules that its first one imports, from here and from packages.
 *
 * There is no build step: types and comments are left out, and specifiers lead to where the server has the files.
 */
export async function collectPage(): Promise<PageAssets> {
  const modules = await modulesFrom(entry);
  const texts = new Map<string, string>();
  for (const { name, text } of modules.values()) texts.set(name, text);
  for (const name of styleSheets) {
    const file = new URL(name, source);
    if (existsSync(file)) texts.set(name, compactStyle(await readFile(file, "utf8")));
  }
  const page = await readFile(new URL("page/index.html", source), "utf8");

  const hash = createHash("sha256").update(page);
  for (const [name, text] of texts) hash.update(name).update(text);
  const version = hash.digest("base64url").slice(0, 12);
  const base = `/assets/${version}`;

  const files = new Map<string, Asset>();
  await Promise.all(
    [...texts].map(async ([name, text]) => {
      const body = new TextEncoder().encode(text);
      const compressed = await promisify(gzip)(body, { level: 9 });
      files.set(`${base}/${name}`, {
        type: types[path.extname(name)] ?? "text/plain",
        body,
        gzip: new Uint8Array(compressed),
      });
    }),
  );
  const sheets = styleSheets
    .filter((name) => texts.has(name))
    .map((name) => `<link rel="stylesheet" href="${base}/${name}" />`);
  const script = `<script type="module" src="${base}/${nameOf(entry)}"></script>`;
  const meta = `<meta name="version" content="${version}" />`;
  const first = needed([entry.href], modules);
  const htmlOf = (name: PageName): string => {
    const own = later[name].map((one) => new URL(one, source).href);
    // Named in the page, they are fetched at once, and not one after the other as each is read.
    const names = new Set([...first, ...needed(own, modules), ...own]);
    names.delete(entry.href);
    const preloads = [...names].map(
      (href) => `<link rel="modulepreload" href="${base}/${modules.get(href)?.name}" />`,
    );
    return (
      page
        // What page it is decides on its colours before the script has run.
        .replace('data-page="console"', `data-page="${name}"`)
        .replace("<!-- assets -->", [meta, ...sheets, ...preloads, script].join("\n    "))
    );
  };
  const html = { console: htmlOf("console"), build: htmlOf("build"), wall: htmlOf("wall") };
  return { version, html, files };
}

/** All modules that can be reached, by the URL of their source. */
async function modulesFrom(first: URL): Promise<Map<string, Module>> {
  const modules = new Map<string, Module>();
  const toRead = [first];
  while (toRead.length > 0) {
    const url = toRead.pop() ?? first;
    if (modules.has(url.href)) continue;
    let text = await moduleText(url);
    const imports: string[] = [];
    // From the last on, so that the places of the others stay.
    for (const { start, end, name, isDynamic } of specifiersOf(text).toReversed()) {
      const target = targetOf(name, url);
      toRead.push(target);
      if (!isDynamic) imports.unshift(target.href);
      const relative = path.posix.relative(path.posix.dirname(nameOf(url)), nameOf(target));
      const written = JSON.stringify(relative.startsWith(".") ? relative : `./${relative}`);
      text = text.slice(0, start) + written + text.slice(end);
    }
    modules.set(url.href, { name: nameOf(url), text, imports });
  }
  return modules;
}

async function moduleText(url: URL): Promise<string> {
  const text = await readFile(url, "utf8");
  return compactScript(url.pathname.endsWith(".ts") ? stripTypeScriptTypes(text) : text);
}

function targetOf(name: string, importer: URL): URL {
  if (name.startsWith(".")) return new URL(name, importer);
  return new URL(import.meta.resolve(name));
}

/** What a module is called below the version: by its place in the source, or in its package. */
function nameOf(url: URL): string {
  const name = url.href.startsWith(source.href)
    ? url.href.slice(source.href.length)
    : nameInPackage(fileURLToPath(url));
  return name.replace(/\.ts$/, ".js");
}

function nameInPackage(file: string): string {
  let folder = path.dirname(file);
  while (!existsSync(path.join(folder, "package.json"))) folder = path.dirname(folder);
  return `packages/${path.basename(folder)}${pathToFileURL(file).pathname.slice(pathToFileURL(folder).pathname.length)}`;
}

/** The modules that these import before they run, and what those import. */
function needed(from: readonly string[], modules: ReadonlyMap<string, Module>): Set<string> {
  const hrefs = new Set(from);
  for (const each of hrefs) for (const one of modules.get(each)?.imports ?? []) hrefs.add(one);
  for (const each of from) hrefs.delete(each);
  return hrefs;
}
