#!/usr/bin/env node
import { existsSync } from "node:fs";
import { registerHooks } from "node:module";

const source = new URL("../src/cli/main.ts", import.meta.url);

if (existsSync(source)) {
  // A checkout of the repository: `windsock` means its sources, here and in the user's services.
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, "@windsock/source"] }),
  });
  await import(source.href);
} else {
  await import("../dist/cli/main.js");
}
