import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { createInterface } from "node:readline";
import type { Usage } from "../commands.ts";
import { messagesOf, usualSize } from "../workload.ts";

declare const Bun: { gc(sync: boolean): void } | undefined;

/**
 * Runs a server as one of the bench's: says on stdout which port it has, answers the
 * runner's commands from stdin, and ends with it.
 */
export async function serve(start: () => Promise<number>): Promise<void> {
  messagesOf(usualSize);
  const port = await start();
  answer({ port });
  for await (const line of createInterface({ input: process.stdin })) {
    const { type, file } = JSON.parse(line) as { type: string; file?: string };
    if (type === "exit") break;
    if (type === "gc") collect();
    if (type === "profile") await profile(file);
    answer(usage());
  }
  process.exit(0);
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

let session: Session | undefined;

async function profile(file: string | undefined): Promise<void> {
  if (file === undefined) {
    session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: 200 });
    await session.post("Profiler.start");
  } else if (session !== undefined) {
    const { profile: found } = await session.post("Profiler.stop");
    session.disconnect();
    writeFileSync(file, JSON.stringify(found));
  }
}

function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
