/**
 * Evaluates a configuration written in TypeScript: its text comes on standard input, its value goes as JSON to
 * descriptor 3. Started by `typescript-config.ts`, in a process with no environment, files or network.
 */
import { readFileSync, writeSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";

for (const name of Object.keys(process.env)) delete process.env[name];
const configUrl = "autobuild:autobuild.config.ts";
const libraryUrl = "autobuild:config";
const library = "export const defineConfig = (config) => config;";
const source = stripTypeScriptTypes(readFileSync(0, "utf8"), { sourceUrl: configUrl });

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier === configUrl) return { url: configUrl, format: "module", shortCircuit: true };
    if (specifier === "autobuild" || specifier === "autobuild/config")
      return { url: libraryUrl, format: "module", shortCircuit: true };
    if (specifier.startsWith("node:")) return nextResolve(specifier, context);
    throw new Error(
      `Expected imports of autobuild/config and node: modules only, got "${specifier}". A configuration is read before anything is installed, and by itself: write what it needs into it.`,
    );
  },
  load(url, context, nextLoad) {
    if (url === configUrl) return { format: "module", source, shortCircuit: true };
    if (url === libraryUrl) return { format: "module", source: library, shortCircuit: true };
    return nextLoad(url, context);
  },
});

const loaded: Record<string, unknown> = await import(configUrl);
const { default: config } = loaded;
if (config === undefined)
  throw new Error(
    "Expected `export default defineConfig({ steps: [...] })`, got no default export.",
  );
const json = Buffer.from(JSON.stringify(config) ?? "null");
for (let written = 0; written < json.length;) written += writeSync(3, json, written);
process.exit(0);
