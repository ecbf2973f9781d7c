// The server's process, for `becomeServer`.
import { readdirSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { servicesFolder } from "../server.ts";
import { sayFailure } from "./failure.ts";
import { help } from "./serve-options.ts";
import { becomeServerAgain, type ServerOrder } from "./server-process.ts";
import { startServing } from "./server.ts";
import { Terminal } from "./terminal.ts";

const [orderText = "", ...argv] = process.argv.slice(2);
const order = JSON.parse(orderText) as ServerOrder;
// The rest of what a server holds, so that it counts for the question of whether to begin anew.
for (const name of readdirSync(servicesFolder, { recursive: true, encoding: "utf8" }))
  if (name.endsWith(".ts")) await import(pathToFileURL(path.join(servicesFolder, name)).href);
becomeServerAgain(order, argv);

const terminal = new Terminal();
let code: number | undefined;
try {
  code = await startServing(
    { argv, environment: process.env, cwd: process.cwd(), terminal },
    order,
  );
} catch (error) {
  code = sayFailure(error, { help }, terminal);
}
if (code !== undefined) process.exitCode = code;
