import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { rolldown, type OutputChunk } from "rolldown";

/** One file of the page as browsers get it. */
export interface Asset {
  readonly type: string;
  /** Compressed: hardly anybody takes it otherwise. */
  readonly gzip: Uint8Array<ArrayBuffer>;
}

/** The page: its HTML, and by URL what that needs. */
export interface PageAssets {
  /** A hash of everything. */
  readonly version: string;
  /** Of each page: they differ in what is fetched at once. */
  readonly html: Readonly<Record<PageName, string>>;
  /** `/assets/main-Cx31a_9k.js`. The hash of what is in it is a part of each URL, so that browsers may keep it for good. */
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

const source = fileURLToPath(new URL("./", import.meta.url));
const entry = "page/main.ts";
/** In the order of the cascade. */
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
  ".map": "application/json; charset=utf-8",
};

interface Bundle {
  readonly chunks: readonly OutputChunk[];
  /** Chunks, and for each the map that leads a debugger to the sources. */
  readonly texts: ReadonlyMap<string, string>;
}

/**
 * Reads the page and puts it together: one style sheet, and a few scripts in place of some hundred modules, since each
 * request costs a phone a round trip (ADR 0036).
 */
export async function collectPage(): Promise<PageAssets> {
  const [page, style, { chunks, texts }] = await Promise.all([
    readFile(path.join(source, "page/index.html"), "utf8"),
    readStyle(),
    bundle(),
  ]);
  const styleName = `style-${hashOf(style)}.css`;
  const all = new Map([[styleName, style], ...texts]);
  const version = hashOf(page, ...all.keys());

  const files = new Map<string, Asset>();
  await Promise.all(
    [...all].map(async ([name, text]) => {
      files.set(urlOf(name), {
        type: types[path.extname(name)] ?? "text/plain",
        gzip: new Uint8Array(await promisify(gzip)(text, { level: 9 })),
      });
    }),
  );
  const script = chunkOf(entry, chunks);
  const htmlOf = (name: PageName): string => {
    // Named in the page, they are fetched at once, and not one after the other as each is read.
    const preloads = needed([entry, ...later[name]], chunks).filter((one) => one !== script);
    const assets = [
      `<meta name="version" content="${version}" />`,
      `<link rel="stylesheet" href="${urlOf(styleName)}" />`,
      `<script type="module" src="${urlOf(script.fileName)}"></script>`,
      ...preloads.map(({ fileName }) => `<link rel="modulepreload" href="${urlOf(fileName)}" />`),
    ];
    return (
      page
        // What page it is decides on its colours before the script has run.
        .replace('data-page="console"', `data-page="${name}"`)
        .replace("<!-- assets -->", assets.join("\n    "))
    );
  };
  const html = { console: htmlOf("console"), build: htmlOf("build"), wall: htmlOf("wall") };
  return { version, html, files };
}

function urlOf(name: string): string {
  return `/assets/${name}`;
}

function hashOf(...texts: readonly string[]): string {
  return createHash("sha256").update(texts.join("\0")).digest("base64url").slice(0, 12);
}

/** All style sheets as one, without what indents and without comments that have lines of their own. */
async function readStyle(): Promise<string> {
  const sheets = await Promise.all(
    styleSheets.map((name) => readFile(path.join(source, name), "utf8")),
  );
  return sheets
    .join("\n")
    .replace(/^[ \t]*\/\*[\s\S]*?\*\/[ \t]*$/gm, "")
    .replace(/^[ \t]+|[ \t]+$/gm, "")
    .replace(/\n{2,}/g, "\n");
}

/** The scripts: what the first page needs, and what is imported later. */
async function bundle(): Promise<Bundle> {
  await using build = await rolldown({
    cwd: source,
    input: entry,
    platform: "browser",
    // In a checkout Windsock's sources are its client; elsewhere it has no such condition.
    resolve: { conditionNames: ["@windsock/source", "browser", "import", "default"] },
    // As Node does: types are left out, and nothing else changes.
    tsconfig: false,
    // What it only warns of, an import that leads nowhere, would end the page in a browser.
    onLog(level, { message }) {
      if (level === "warn") throw new Error(message);
    },
  });
  const { output } = await build.generate({
    // Nothing is written: paths in source maps are relative to it.
    dir: path.join(source, "assets"),
    entryFileNames: "[name]-[hash].js",
    chunkFileNames: "[name]-[hash].js",
    minify: true,
    sourcemap: true,
  });
  const chunks = output.filter((one) => one.type === "chunk");
  const texts = output.map((one): [string, string] => [
    one.fileName,
    one.type === "chunk" ? one.code : String(one.source),
  ]);
  return { chunks, texts: new Map(texts) };
}

function chunkOf(module: string, chunks: readonly OutputChunk[]): OutputChunk {
  const file = path.join(source, module);
  const found = chunks.find(({ moduleIds }) => moduleIds.includes(file));
  if (found === undefined) throw new Error(`Expected ${module} in the page's scripts, got none.`);
  return found;
}

/** The chunks that these modules are in, and those that they import before they run. */
function needed(modules: readonly string[], chunks: readonly OutputChunk[]): OutputChunk[] {
  const found = new Set(modules.map((module) => chunkOf(module, chunks)));
  for (const { imports } of found)
    for (const chunk of chunks) if (imports.includes(chunk.fileName)) found.add(chunk);
  return [...found];
}
