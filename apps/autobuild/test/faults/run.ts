// Kills the server during a build, cuts its viewer off, cancels what hides; prints what came of it, and exits with 1
// where that is not what AutoBuild promises. `--kills 10 --cuts 100` is the long form; without them it takes seconds.
// What of it depends on no clock runs as `faults.test.ts`, too.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { Harness, memoryOf, processorMs } from "./harness.ts";
import { cancelHidden } from "./hidden-processes.ts";
import { killServer } from "./killed-server.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string" },
    cuts: { type: "string" },
    repositories: { type: "string" },
  },
});
const kills = Number(values.kills ?? 3);
const cuts = Number(values.cuts ?? 20);
const repositoryCount = Number(values.repositories ?? 20);
const graceMs = 5000;
/** Within it a server that has nothing to do has given back what work left behind. */
const restMs = 40_000;
/** As long as the time between two looks at a repository that the system watches, so that each is in it once. */
const lookMs = 30_000;
const harness = new Harness();

/** A server that has built each of its repositories, shown its pages, and has nothing to do any more. */
async function idle(): Promise<void> {
  const repositories = Array.from({ length: repositoryCount }, (_, index) =>
    harness.repository(`idle-${index}`, "true"),
  );
  const server = await harness.start("idle", repositories);
  for (let id = 1; id <= repositoryCount; id++) await harness.ended(server, id);
  await visit(server.url);
  await sleep(restMs);
  const pid = server.child.pid ?? 0;
  const { residentMb, ownMb, mappedMb, hugeMb } = memoryOf(pid);
  const before = processorMs(pid);
  await sleep(lookMs);
  const share = (processorMs(pid) - before) / lookMs;
  harness.check(
    `idle with ${repositoryCount} repositories, all of them built, below 100 MB and 1 % of a core`,
    residentMb < 100 && share < 0.01,
    `${residentMb.toFixed(1)} MB, ${(100 * share).toFixed(1)} %`,
  );
  console.log(
    `     of which ${ownMb.toFixed(1)} MB are its own and ${mappedMb.toFixed(1)} MB pages of Node's program and libraries, ${hugeMb.toFixed(1)} of these in huge pages`,
  );
  await harness.stop(server, "SIGTERM");
}

/** Loads the page with its parts, looks at what it is fed by, and goes. */
async function visit(url: string): Promise<void> {
  const page = await (await fetch(url)).text();
  for (const [, part = ""] of page.matchAll(/(?:src|href)="([^"]+)"/g))
    await (await fetch(new URL(part, url))).arrayBuffer();
  for (const service of ["status", "builds", "log/1"]) {
    const socket = new WebSocket(`${url.replace("http", "ws")}/websocket/${service}`);
    await once(socket, "message");
    socket.terminate();
  }
}

try {
  const log = await killServer(harness, { kills, cuts });
  harness.check(
    `log identical after ${kills} kill -9 of the server and ${cuts} cuts of its viewer during a build`,
    log.state === "passed" && log.isRecorded && log.isSeen,
    `${log.state}, ${log.isRecorded ? "every" : "NOT every"} one of ${log.lines} lines recorded, ${log.seenBytes} of ${log.bytes} bytes seen${log.isSeen ? ", the same" : ", NOT the same"}`,
  );
  const cancel = await cancelHidden(harness);
  harness.check(
    "cancel of what hid by setsid, nohup and double forks leaves 0 processes within the grace + 1 s",
    cancel.left === 0 && cancel.tookMs < graceMs + 1000,
    `${cancel.before} before, ${cancel.left} after ${(cancel.tookMs / 1000).toFixed(1)} s`,
  );
  console.log(`     a runner holds ${cancel.runnerMiB.toFixed(0)} MiB while its build runs`);
  await idle();
} finally {
  await harness.close();
}
process.exitCode = harness.failures === 0 ? 0 : 1;
