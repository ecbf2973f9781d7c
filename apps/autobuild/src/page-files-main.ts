// Reads the page and writes it to its output, for `readPage`.
import { serialize } from "node:v8";
import { collectPage } from "./page-files.ts";

process.stdout.write(serialize(await collectPage()));
