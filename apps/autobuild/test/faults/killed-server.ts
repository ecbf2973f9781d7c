import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import type { BuildState } from "../../src/build/build.ts";
import type { Harness } from "./harness.ts";

/** What came of a build whose server was killed again and again. */
export interface KilledServerFigures {
  readonly state: BuildState;
  /** Lines that the step printed, all in order and no other, where `isRecorded`. */
  readonly lines: number;
  readonly isRecorded: boolean;
  /** Of the console log, and of what its viewer got in all its connections together. */
  readonly bytes: number;
  readonly seenBytes: number;
  /** Whether the two are the same, byte for byte. */
  readonly isSeen: boolean;
  /** How often the viewer was cut off, the kills of the server included. */
  readonly connections: number;
}

/** Kills the server during a build, with `kill -9`, and cuts its viewer off, at random times. */
export async function killServer(
  harness: Harness,
  { kills, cuts }: { readonly kills: number; readonly cuts: number },
): Promise<KilledServerFigures> {
  const dataDir = harness.dataDir("killed");
  const lines = 200 * (kills + 1) + 10 * cuts;
  const gate = path.join(harness.folder, "gate");
  const work = harness.repository(
    "killed",
    `i=0; while [ $i -lt ${lines} ]; do for j in 1 2 3 4 5; do echo "line $i"; i=$((i + 1)); done; sleep 0.05; done; while [ ! -e '${gate}' ]; do sleep 0.05; done`,
  );
  let server = await harness.start("killed", [work]);
  let seen = Buffer.alloc(0);
  let connections = 0;
  let isOver = false;
  const viewing = (async () => {
    while (!isOver) {
      const cutMs = connections < cuts ? 20 + Math.random() * 200 : 1000;
      seen = Buffer.concat([seen, await view(server.url, seen.length, { cutMs })]);
      connections++;
      await sleep(20);
    }
  })();
  for (let kill = 0; kill < kills; kill++) {
    await sleep(500 + Math.random() * 1500);
    await harness.stop(server, "SIGKILL");
    server = await harness.start("killed", [work]);
  }
  // However slow the machine: the build runs through all of it.
  await harness.until(async () => (connections < cuts ? undefined : true));
  harness.write(gate);
  const { state } = await harness.ended(server, 1);
  isOver = true;
  await viewing;
  const file = readFileSync(path.join(dataDir, "builds/1/console.log"));
  seen = Buffer.concat([seen, await view(server.url, seen.length, { until: file.length })]);
  await harness.stop(server, "SIGTERM");
  const step = readFileSync(path.join(dataDir, "builds/1/0.1.log"), "utf8");
  const printed = Array.from({ length: lines }, (_, index) => `line ${index}\n`).join("");
  return {
    state,
    lines,
    isRecorded: step.replaceAll("\r\n", "\n") === printed,
    bytes: file.length,
    seenBytes: seen.length,
    isSeen: file.equals(seen),
    connections,
  };
}

/** Reads the console log of build 1 from an offset, until it has all of `until`, or is cut off. */
async function view(
  url: string,
  from: number,
  { until = Infinity, cutMs }: { readonly until?: number; readonly cutMs?: number },
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = from;
  if (bytes >= until) return Buffer.alloc(0);
  const socket = new WebSocket(`${url.replace("http", "ws")}/websocket/log/1?from=${from}`);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.on("message", (data) => {
    parts.push(data as Buffer, Buffer.from("\n"));
    bytes += (data as Buffer).length + 1;
    if (bytes >= until) socket.terminate();
  });
  const timer = cutMs === undefined ? undefined : setTimeout(() => socket.terminate(), cutMs);
  await closed;
  clearTimeout(timer);
  return Buffer.concat(parts);
}
