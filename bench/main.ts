// `pnpm bench`: servers and a generator, in rounds, and a table of what they cost.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, type } from "node:os";
import { resolve } from "node:path";
import { canPin } from "./child.ts";
import { goals, ours } from "./goals.ts";
import { help, readOptions, type Options } from "./options.ts";
import { bunVersion, control, fetchBun, findBun, peers, type Peer } from "./peers.ts";
import { scenarios, type Row, type Scenario } from "./plan.ts";
import { report, type RunFacts } from "./report.ts";
import { Results } from "./results.ts";
import { Run } from "./runner.ts";
import type { Sample } from "./sample.ts";

/** The whole run ends after this, whatever happens. */
const maxRunMs = 12 * 3600 * 1000;

let options: Options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  process.exit(2);
}
if (options.isHelp) {
  console.log(help);
  process.exit(0);
}
setTimeout(() => {
  console.error("Expected the run to end within 12 hours.");
  process.exit(1);
}, maxRunMs).unref();

const planned = plan(options);
if (options.isList) {
  for (const { name, rows } of planned)
    for (const row of rows) console.log(`${name}  ${row.name}: ${row.title}`);
  for (const { name, title } of peers) console.log(`peer  ${name}: ${title}`);
  process.exit(0);
}
const servers = chosenPeers(options);
const profile = options.profile === undefined ? undefined : resolve(options.profile);
if (profile !== undefined) mkdirSync(profile, { recursive: true });
const began = performance.now();
const samples: Sample[] = [];
/** Of the last minute, after each measurement. */
const loads: number[] = [];
let broken = false;
let isAsked = false;
process.once("SIGINT", () => {
  isAsked = true;
  console.error("This round, and then the results so far. Once more ends it without them.");
});
for (const scenario of planned) {
  const rounds = roundsOf(scenario, options);
  for (let round = 1; round <= rounds && !isAsked; round++) {
    // A B C, C B A: what the machine does meanwhile meets each at the beginning and at the end.
    const those = servers.filter((peer) => isIn(scenario, peer));
    for (const peer of round % 2 === 1 ? those : those.toReversed()) {
      await measure(scenario, peer, round);
    }
  }
}
const results = new Results(samples);
const minutes = (performance.now() - began) / 60_000;
if (options.isGate) gate();
else write();
process.exit(broken ? 1 : 0);

function plan({ isLong, isGate, only }: Options): readonly Scenario[] {
  const all = isLong ? scenarios(3000, 10) : scenarios(isGate ? 500 : 1000, isGate ? 2 : 4);
  const gated = new Set(goals.filter(({ unit }) => unit === "writes").map(({ row }) => row));
  const isWanted = (scenario: Scenario, row: Row): boolean => {
    if (isGate) return gated.has(row.name);
    return only.length === 0 || only.includes(scenario.name) || only.includes(row.name);
  };
  return all
    .map((scenario) => ({
      ...scenario,
      rows: scenario.rows.filter((row) => isWanted(scenario, row)),
    }))
    .filter(({ rows }) => rows.length > 0);
}

function chosenPeers({ isLong, isGate, fetchesBun, peers: names }: Options): readonly Peer[] {
  if (fetchesBun && findBun() === undefined && !fetchBun())
    console.error(
      "Expected to get Bun from the package registry, got none: its rows are left out.",
    );
  return peers.filter((peer) => {
    if (isGate) return peer.name === ours.plain || peer.name === ours.v1;
    const isWanted =
      names.length > 0
        ? names.includes(peer.name) || peer.name === control
        : peer.isUsual || isLong;
    if (!isWanted || peer.runtime !== "bun" || findBun() !== undefined) return isWanted;
    console.error("There is no Bun here (`--fetch-bun` gets one): its rows are left out.");
    return false;
  });
}

function roundsOf(scenario: Scenario, { rounds, isLong, isGate }: Options): number {
  if (rounds !== undefined) return rounds;
  if (isLong) return 15;
  return isGate ? 1 : (scenario.shortRounds ?? 3);
}

function isIn({ peers: only }: Scenario, { name, isSpecial }: Peer): boolean {
  return only === undefined ? isSpecial !== true : only.includes(name);
}

async function measure(scenario: Scenario, peer: Peer, round: number): Promise<void> {
  let run: Run | undefined;
  try {
    run = await Run.start(scenario, peer, { round, profile });
    for (const sample of await run.run()) {
      samples.push(sample);
      console.log(lineOf(sample));
    }
  } catch (error) {
    broken = true;
    console.error(
      `${peer.name}, ${scenario.name}, round ${round}: ${error instanceof Error ? error.message : String(error)}`,
    );
  } finally {
    await run?.stop();
    loads.push(loadavg()[0] ?? 0);
  }
}

/** A sample while the run goes on. */
function lineOf(sample: Sample): string {
  const figures = Object.entries(sample.figures)
    .map(([unit, value]) => `${unit} ${value >= 100 ? value.toFixed(0) : value.toPrecision(3)}`)
    .join(", ");
  const wrong = Object.entries(sample.faults ?? {}).filter(([, count]) => count > 0);
  const faults = wrong.map(([what, count]) => `  ${what} ${count}`).join("");
  const name = `${sample.round}  ${sample.row.padEnd(14)} ${sample.peer.padEnd(17)}`;
  return `${name} ${figures}  (server ${share(sample.serverShare)}, generator ${share(sample.generatorShare)})${faults}${sample.failure === undefined ? "" : `  ${sample.failure}`}${sample.note === undefined ? "" : `  (${sample.note})`}`;
}

function share(value: number): string {
  return `${(value * 100).toFixed(0)} %`;
}

/** For CI: what needs no quiet machine. */
function gate(): void {
  for (const { goal, peer, estimate, answer } of results.verdicts()) {
    if (goal.unit !== "writes") continue;
    const found = estimate?.median.toFixed(4) ?? "nothing";
    console.log(
      `${goal.row}, ${peer}: expected at most ${goal.bound} write calls a message and client, got ${found}.`,
    );
    if (answer !== "met" && process.platform === "linux") broken = true;
  }
  for (const peer of [ours.plain, ours.v1]) {
    const { deliveries, ...faults } = results.faults(peer);
    console.log(`${peer}: ${deliveries} deliveries, ${JSON.stringify(faults)}`);
    if (Object.values(faults).some((count) => count > 0)) broken = true;
  }
  if (samples.some(({ failure }) => failure !== undefined)) broken = true;
}

function write(): void {
  const isPart = options.only.length > 0 || options.peers.length > 0;
  const kind = options.name ?? (isPart ? "part" : options.isLong ? "long" : "short");
  const facts: RunFacts = {
    date: new Date().toISOString(),
    commit: commit(),
    kind,
    machine: `${cpus().length} x ${cpus()[0]?.model ?? "unknown processor"}, ${type()} ${release().split(".", 2).join(".")}`,
    node: process.versions.node,
    bun: servers.some(({ runtime }) => runtime === "bun") ? bunVersion : undefined,
    isPinned: canPin,
    minutes,
    remark: `load ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`,
  };
  const rows = planned.flatMap((scenario) => scenario.rows);
  const page = report(facts, results, rows, servers);
  const folder = new URL("results/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${kind}.md`, folder), page);
  writeFileSync(
    new URL(`${kind}.json`, folder),
    `${JSON.stringify({ facts, samples }, null, 1)}\n`,
  );
  console.log(`\n${page}\nbench/results/${kind}.md, bench/results/${kind}.json`);
}

/** The commit, and whether what is measured differs from it. */
function commit(): string {
  const head = git("rev-parse", "--short", "HEAD");
  if (head === "") return "unknown";
  const changes = git("status", "--porcelain", "--", "../packages/windsock/src", ".");
  const isChanged = changes.split("\n").some((line) => line !== "" && !line.includes("results/"));
  return isChanged ? `${head} with changes` : head;
}

function git(...args: readonly string[]): string {
  const { stdout } = spawnSync("git", args, {
    cwd: new URL(".", import.meta.url),
    encoding: "utf8",
  });
  return (stdout ?? "").trim();
}
