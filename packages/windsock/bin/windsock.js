#!/usr/bin/env node
// The published package has dist/; a checkout runs the source, which Node strips of its types.
import { existsSync } from "node:fs";

const built = new URL("../dist/cli/main.js", import.meta.url);
await import(existsSync(built) ? built.href : new URL("../src/cli/main.ts", import.meta.url).href);
