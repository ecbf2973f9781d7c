import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Workspace packages are tested from their sources, so no build comes first.
const conditions = ["@windsock/source", ...defaultServerConditions];

const roots = [...globSync(["packages/*", "apps/*", "examples/*"]), "bench", "scripts"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // A limit is for what hangs, not for what is slow: a machine of one busy core takes ten times as long as ours, and
    // no test is near. Waits within tests give up at 45 s, so that what they waited for is said.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Page tests and builds start processes of their own; two workers keep two cores busy.
    maxWorkers: 2,
    // What tests start need not read its sources anew each time.
    env: {
      NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/code", import.meta.url)),
    },
    // Worker processes, and what they fork, resolve as we do.
    execArgv: ["--conditions=@windsock/source"],
    coverage: { include: ["packages/*/src/**", "apps/*/src/**"] },
    projects: roots.map((root) => ({
      extends: true,
      test: { name: root.split("/").at(-1) ?? root, root, include: ["**/*.test.ts"] },
    })),
  },
});
