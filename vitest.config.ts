import { globSync } from "node:fs";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Workspace packages are tested from their sources, so no build comes first.
const conditions = ["@windsock/source", ...defaultServerConditions];

const roots = [...globSync(["packages/*", "apps/*", "examples/*"]), "bench", "scripts"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // Where a test takes longer than this, it hangs.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Page tests and builds start processes of their own; two workers keep two cores busy.
    maxWorkers: 2,
    // Worker processes, and what they fork, resolve as we do.
    execArgv: ["--conditions=@windsock/source"],
    coverage: { include: ["packages/*/src/**", "apps/*/src/**"] },
    projects: roots.map((root) => ({
      extends: true,
      test: { name: root.split("/").at(-1) ?? root, root, include: ["**/*.test.ts"] },
    })),
  },
});
