import { readFileSync } from "node:fs";
import path from "node:path";
import { WebSocket } from "ws";
import type { Harness } from "./harness.ts";

/** What a viewer got who read nothing while the build ran. */
export interface SlowViewerFigures {
  readonly file: Buffer;
  readonly seen: Buffer;
  /** What of it had come before it stopped to read. */
  readonly earlyBytes: number;
}

/** Follows the log of a step that prints 20 MB, and reads it when the step has ended. */
export async function readSlowly(harness: Harness): Promise<SlowViewerFigures> {
  const work = harness.repository(
    "slow",
    `awk 'BEGIN { for (i = 0; i < 200000; i++) printf "%06d %0100d\\n", i, i }'`,
  );
  const server = await harness.start("slow", [work]);
  await harness.until(
    async () => (await harness.build(server, 1))?.steps[0]?.startedMs ?? undefined,
  );
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/websocket/log/1/0.1?from=0`);
  const parts: Buffer[] = [];
  let bytes = 0;
  socket.on("error", () => {});
  socket.on("message", (data, isBinary) => {
    if (!isBinary) return;
    parts.push(data as Buffer);
    bytes += (data as Buffer).length;
  });
  await new Promise((resolve) => socket.once("open", resolve));
  socket.pause();
  await harness.ended(server, 1);
  const earlyBytes = bytes;
  const file = readFileSync(path.join(harness.dataDir("slow"), "builds/1/0.1.log"));
  socket.resume();
  await harness.until(async () => (bytes >= file.length ? true : undefined));
  socket.terminate();
  await harness.stop(server, "SIGTERM");
  return { file, seen: Buffer.concat(parts), earlyBytes };
}
