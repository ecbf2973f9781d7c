import type { Config } from "./plan/config-schema.ts";

/** What `autobuild.config.ts` exports: the same fields as `.autobuild.yml`. */
export type AutobuildConfig = Config;

/**
 * Gives a configuration its type, and returns it as it is.
 *
 *     import { defineConfig } from "autobuild/config";
 *
 *     export default defineConfig({
 *       steps: [
 *         { name: "install", run: ["npm", "ci"] },
 *         { name: "test", run: "npm test", matrix: { node: [24, 26] } },
 *       ],
 *     });
 */
export function defineConfig(config: AutobuildConfig): AutobuildConfig {
  return config;
}
