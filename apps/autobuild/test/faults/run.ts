// Kills the server during a build, cuts its viewer off, cancels what hides; prints what came of it, and exits with 1
// where that is not what AutoBuild promises. `--kills 10 --cuts 100` is the long form; without them it takes seconds.
// What of it depends on no clock runs as `faults.test.ts`, too.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Harness, residentMiB } from "./harness.ts";
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
const harness = new Harness();

async function idle(): Promise<void> {
  const repositories = Array.from({ length: repositoryCount }, (_, index) =>
    harness.repository(`idle-${index}`, "true"),
  );
  const server = await harness.start("idle", repositories);
  for (let id = 1; id <= repositoryCount; id++) await harness.ended(server, id);
  await harness.stop(server, "SIGTERM");
  const again = await harness.start("idle", repositories);
  await sleep(5000);
  const mib = residentMiB(again.child.pid ?? 0);
  harness.check(
    `idle with ${repositoryCount} repositories watched below 100 MB`,
    mib < 95,
    `${mib.toFixed(0)} MiB`,
  );
  await harness.stop(again, "SIGTERM");
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
