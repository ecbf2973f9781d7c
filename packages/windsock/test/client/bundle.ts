import { join } from "node:path";
import { build } from "vite";

/** The module behind `windsock/client`. */
export const client: string = join(import.meta.dirname, "../../src/client/index.ts");

/** Bundles a page that consists of this code, as an app's build does. */
export async function bundle(code: string): Promise<string> {
  const entry = "virtual:page";
  const result = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [
      {
        name: "page",
        resolveId: (id) => (id === entry ? `\0${entry}` : undefined),
        load: (id) => (id === `\0${entry}` ? code : undefined),
      },
    ],
    build: {
      write: false,
      minify: true,
      target: "esnext",
      modulePreload: false,
      rolldownOptions: { input: entry, preserveEntrySignatures: "strict" },
    },
  });
  const [{ output }] = [result].flat() as unknown as [{ output: { code?: string }[] }];
  return output.map((chunk) => chunk.code ?? "").join("");
}
