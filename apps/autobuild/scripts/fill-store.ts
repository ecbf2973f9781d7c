// Fills a store with builds and prints how long the overview takes to be read from it.
//
//     node --conditions=@windsock/source apps/autobuild/scripts/fill-store.ts [builds] [branches] [folder]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { OverviewReader } from "../src/build/overview-reader.ts";
import { openDatabase } from "../src/store/database.ts";
import { OverviewStore } from "../src/store/overview-store.ts";
import { Store } from "../src/store/store.ts";
import { addManyBuilds } from "../test/support/many-builds.ts";

const [builds = 100_000, branches = 400] = process.argv.slice(2, 4).map(Number);
const given = process.argv[4];
const folder = given ?? mkdtempSync(path.join(tmpdir(), "autobuild-fill-"));
const database = openDatabase(folder);
const store = new Store(database);
const reader = new OverviewReader({
  store,
  rows: new OverviewStore(database),
  queued: () => store.buildsIn("queued"),
  nowMs: () => Date.now(),
  headBranchOf: () => "main",
  isWatched: () => true,
});

const filledMs = timeOf(() => addManyBuilds(database, { builds, branches, nowMs: Date.now() }));
console.log(`${builds} builds of ${branches} branches written in ${filledMs.toFixed(0)} ms`);
const first = timeOf(() => reader.overview());
const times = Array.from({ length: 21 }, () => timeOf(() => reader.overview())).toSorted(
  (a, b) => a - b,
);
const row = timeOf(() => reader.row(1, "main"));
const snapshot = JSON.stringify({ builds: store.builds({ limit: 50 }), ...reader.overview() });
console.log(
  `overview: first ${first.toFixed(1)} ms, median of 21 ${times[10]?.toFixed(1)} ms; ` +
    `one row ${row.toFixed(2)} ms; ${reader.overview().branches.length} rows, snapshot ${(snapshot.length / 1024).toFixed(0)} KiB`,
);
database.close();
if (given === undefined) rmSync(folder, { recursive: true });
else console.log(`It is kept in ${folder}`);

function timeOf(run: () => unknown): number {
  const startMs = performance.now();
  run();
  return performance.now() - startMs;
}
