// The documentation as tests see it: pages, headings, links, tables and examples.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root: string = fileURLToPath(new URL("../../../../", import.meta.url));

/** Every page that we write, relative to the root. */
export const pages: readonly string[] = [
  ...globSync(["*.md", "{apps,bench,docs,examples,packages}/**/*.md"], {
    cwd: root,
    exclude: (name) => /(?:^|[\\/])(?:node_modules|dist)$/.test(name),
  }).map((page) => page.replaceAll("\\", "/")),
].toSorted();

export function read(page: string): string {
  return readFileSync(`${root}${page}`, "utf8");
}

/** A fenced block. `info` is what stands behind the fence: `ts file=src/websocket/status.ts`. */
export interface Block {
  readonly info: string;
  readonly line: number;
  readonly source: string;
}

/** The fenced blocks of a page, and its text without them, line for line. */
export function parse(text: string): { readonly prose: string; readonly blocks: readonly Block[] } {
  const prose: string[] = [];
  const blocks: Block[] = [];
  let open: { info: string; line: number; fence: string; lines: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^(```+|~~~+)\s*(.*)$/.exec(line);
    if (open === undefined && fence !== null) {
      open = { info: fence[2] ?? "", line: index + 1, fence: fence[1] ?? "", lines: [] };
    } else if (open !== undefined && line.trimEnd() === open.fence) {
      blocks.push({ info: open.info, line: open.line, source: `${open.lines.join("\n")}\n` });
      open = undefined;
    } else open?.lines.push(line);
    prose.push(open === undefined && fence === null ? line : "");
  }
  if (open !== undefined)
    throw new Error(`Expected the block of line ${open.line} to end, got the end of the page.`);
  return { prose: prose.join("\n"), blocks };
}

/** A runnable example: a TypeScript block that says which file it is. */
export interface Example {
  readonly page: string;
  readonly line: number;
  readonly file: string;
  readonly source: string;
}

export function examplesOf(page: string): Example[] {
  return parse(read(page)).blocks.flatMap(({ info, line, source }) => {
    const file = /^ts\b.*\bfile=(\S+)/.exec(info)?.[1];
    return file === undefined ? [] : [{ page, line, file, source }];
  });
}

/** The anchors of a page, as GitHub makes them from its headings. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of parse(read(page)).prose.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-");
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The cells of every table row of a page whose first cell is code: `` `name` ``. */
export function rowsOf(text: string): string[][] {
  return parse(text)
    .prose.split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .replace(/^\||\|\s*$/g, "")
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    )
    .filter(([first]) => first !== undefined && /^`[^`]+`/.test(first));
}

/** What stands below a heading, up to the next one of its level or above. */
export function section(text: string, heading: string): string {
  const lines = text.split("\n");
  const start = lines.findIndex(
    (line) => line.startsWith("#") && line.replace(/^#+\s+/, "") === heading,
  );
  if (start === -1) throw new Error(`Expected a heading ${JSON.stringify(heading)}, got none.`);
  const level = /^#+/.exec(lines[start] ?? "")?.[0].length ?? 1;
  const end = lines.findIndex(
    (line, index) => index > start && (/^#+(?=\s)/.exec(line)?.[0].length ?? 7) <= level,
  );
  return lines.slice(start + 1, end === -1 ? undefined : end).join("\n");
}

/** The members of an interface in a source file, by name: what a reference page must list. */
export function membersOf(source: string, name: string): string[] {
  const [, rest = ""] = source.split(new RegExp(`^export interface ${name}\\b`, "m"));
  const body = rest.slice(0, rest.search(/^\}/m));
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, member = ""]) => member);
}
