// The same service with a durable log, in a file of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchService } from "./bench-service.ts";
import { serve } from "./control.ts";
import { startWindsock } from "./windsock.ts";

const folder = mkdtempSync(join(tmpdir(), "windsock-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

await serve(() =>
  startWindsock(benchService({ durable: true, isLogLong: false }), join(folder, "history.sqlite")),
);
