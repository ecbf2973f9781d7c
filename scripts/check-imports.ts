// The import-direction rule of packages/windsock/src: a file imports from its own folder or from
// one that stands earlier in LAYERS, types included. Tests may import anything.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";

/** The folders of packages/windsock/src, each free to import from those before it. */
export const LAYERS = [
  "protocol",
  "actor",
  "log",
  "service",
  "edge",
  "gateway",
  "cluster",
  "node",
  "client",
  "testing",
  "cli",
] as const;

const specifier = /(?:\bfrom|\bimport)\s*\(?\s*["'](\.[^"']*)["']/g;
const comment = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;

/** Returns what is wrong with the imports of one file; `file` is relative to src, with `/`. */
export function checkImports(file: string, source: string): string[] {
  if (/\.(test|test-d)\.ts$/.test(file)) return [];
  const from = layerOf(file);
  if (from === undefined) {
    return [`${file}: expected a folder of ${LAYERS.join(", ")}: add the new one to LAYERS`];
  }
  const problems: string[] = [];
  for (const [, path = ""] of source.replace(comment, "").matchAll(specifier)) {
    const target = normalize(join(dirname(file), path));
    if (target.startsWith("..")) continue; // package.json and the like
    const to = layerOf(target);
    if (to === undefined || to > from) {
      problems.push(`${file}: imports ${target}, which is not its own folder or an earlier one`);
    }
  }
  return problems;
}

/** The index in LAYERS; errors.ts counts with the first, index.ts comes after the last. */
function layerOf(file: string): number | undefined {
  if (file === "errors.ts") return 0;
  if (file === "index.ts") return LAYERS.length;
  const index = LAYERS.findIndex((layer) => file.startsWith(`${layer}/`));
  return index === -1 ? undefined : index;
}

if (import.meta.main) {
  const src = new URL("../packages/windsock/src/", import.meta.url);
  const files = globSync("**/*.ts", { cwd: src });
  const problems = files.flatMap((file) =>
    checkImports(file, readFileSync(new URL(file, src), "utf8")),
  );
  if (problems.length > 0) {
    console.error(problems.join("\n"));
    console.error(`The order is: ${LAYERS.join(", ")}.`);
    process.exitCode = 1;
  }
}
