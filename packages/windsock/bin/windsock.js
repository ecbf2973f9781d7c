#!/usr/bin/env node
// Plain JavaScript: an older Node reads this file, and is told so in a sentence.
import { existsSync } from "node:fs";
import module from "node:module";

const WANTED_MAJOR = 26;

if (Number(process.versions.node.split(".")[0]) < WANTED_MAJOR) {
  console.error(
    `Expected Node ${WANTED_MAJOR} or later, got ${process.version}: ` +
      "install it (https://nodejs.org), or put it first in PATH, and try again.",
  );
  process.exit(1);
}

const source = new URL("../src/cli/main.ts", import.meta.url);

if (existsSync(source)) {
  // A checkout of the repository: `windsock` means its sources, here and in the user's services.
  module.registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, "@windsock/source"] }),
  });
  await import(source.href);
} else {
  await import("../dist/cli/main.js");
}
