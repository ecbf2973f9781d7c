import { createInterface } from "node:readline";
import type { Usage } from "../commands.ts";
import { messagesOf } from "../workload.ts";

declare const Bun: { gc(sync: boolean): void } | undefined;

/** The size that all rows use; its messages are made ahead. */
const usualSize = 128;

/**
 * Runs a server as one of the bench's: says on stdout which port it has, answers the
 * runner's commands from stdin, and ends with it.
 */
export async function serve(start: () => Promise<number>): Promise<void> {
  messagesOf(usualSize);
  const port = await start();
  answer({ port });
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const { type } = JSON.parse(line) as { type: string };
    if (type === "gc") collect();
    if (type === "exit") process.exit(0);
    answer(usage());
  });
  lines.on("close", () => process.exit(0));
}

export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { heapUsed, external } = process.memoryUsage();
  return { cpuUs: user + system, heapBytes: heapUsed, externalBytes: external };
}

function collect(): void {
  for (let pass = 0; pass < 3; pass++) {
    if (typeof Bun !== "undefined") Bun.gc(true);
    else globalThis.gc?.();
  }
}

function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
