// `node bench/readme-table.ts`: the tables of the README from the results in `results/`. Of each row
// the run with the most rounds counts, of several the newest. Writes the page of each run anew, too.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isAtLeast, ours, type Goal } from "./goals.ts";
import { control, peers } from "./peers.ts";
import { scenarios, type Row } from "./plan.ts";
import { goalText, number, range, report, section, type RunFacts } from "./report.ts";
import { Results, type Estimate } from "./results.ts";
import { units, type Sample, type Unit } from "./sample.ts";

interface Run {
  readonly name: string;
  readonly facts: RunFacts;
  readonly samples: readonly Sample[];
}

const answers = {
  met: "met",
  interval: "met by the interval only",
  missed: "**not met**",
} as const;

const folder = new URL("results/", import.meta.url);
const runs: readonly Run[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json") && name !== "part.json")
  .map((name) => ({
    ...(JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Omit<Run, "name">),
    name: name.slice(0, -".json".length),
  }));
const rows = scenarios(1, 1).flatMap((scenario) => scenario.rows);
const used = new Set<Run>();
const samples = rows.flatMap(({ name }) => {
  const run = bestRun(name);
  if (run === undefined) return [];
  used.add(run);
  return run.samples.filter(({ row }) => row === name);
});
const results = new Results(samples);

const page = [
  "# For the README",
  [...used].map(introduction).join("\n"),
  ...figures(),
  ...goalTable(),
  ...callbackTable(),
].join("\n\n");
writeFileSync(new URL("readme-table.md", folder), `${page}\n`);
for (const { name, facts, samples: all } of runs) {
  const has = (what: "row" | "peer", of: string): boolean => all.some((one) => one[what] === of);
  const those = rows.filter((row) => has("row", row.name));
  const servers = peers.filter((peer) => has("peer", peer.name));
  writeFileSync(new URL(`${name}.md`, folder), report(facts, new Results(all), those, servers));
}

function bestRun(row: string): Run | undefined {
  const roundsOf = ({ samples: all }: Run): number =>
    all.filter((sample) => sample.row === row && sample.peer === ours.v1).length;
  const newest = (a: Run, b: Run): number => b.facts.date.localeCompare(a.facts.date);
  return runs
    .filter((run) => roundsOf(run) > 0)
    .sort((a, b) => roundsOf(b) - roundsOf(a) || newest(a, b))[0];
}

function introduction({ name, facts, samples: all }: Run): string {
  const rounds = Math.max(...all.map(({ round }) => round));
  const runtimes =
    facts.bun === undefined ? `Node ${facts.node}` : `Node ${facts.node}, Bun ${facts.bun}`;
  return `- [\`${name}\`](${name}.md): ${facts.date.slice(0, 10)}, ${facts.machine}, ${runtimes}, commit ${facts.commit}, ${rounds} ${rounds === 1 ? "round" : "rounds"}${facts.remark === undefined ? "" : `; ${facts.remark}`}`;
}

function unitOf({ name, work }: Row): Unit {
  if (work.type === "idle") return "pssBytes";
  // Connections a second are the generator's and the machine's affair too.
  if (work.type === "storm") return "cpuUs";
  return name === "slow" ? "heapCopies" : "cpuNs";
}

/** The control in its own unit, the others as ratios to it. */
function figures(): string[] {
  const shown = [control, "socket-io", "bun", ours.plain, ours.v1];
  const lines = rows
    .filter(({ isCallback, work }) => isCallback !== true && work.type !== "slow")
    .map((row) => {
      const unit = unitOf(row);
      const cells = shown.map((peer) => {
        if (peer === control) {
          const figure = results.figure(row.name, peer, unit);
          return figure === undefined ? "" : number(figure.median);
        }
        const ratio = results.ratio(row.name, peer, control, unit);
        return ratio === undefined ? "" : `${number(ratio.median)}${range(ratio)}`;
      });
      return [`${row.title}: ${units[unit].title}`, ...cells];
    })
    .filter(([, ...cells]) => cells.some((cell) => cell !== ""));
  const titles = shown.map((name) =>
    name === control
      ? "`ws`"
      : `${peers.find((peer) => peer.name === name)?.title ?? name}, x \`ws\``,
  );
  return section("Cost", ["128 bytes", ...titles], lines);
}

function goalTable(): string[] {
  const verdicts = results.verdicts();
  const key = ({ row, unit, against }: Goal): string => `${row} ${unit} ${against ?? ""}`;
  const lines = [...Map.groupBy(verdicts, ({ goal }) => key(goal)).values()].flatMap((both) => {
    const [plain, v1] = both;
    if (plain === undefined || v1?.estimate === undefined) return [];
    const { goal } = plain;
    const row = rows.find(({ name }) => name === goal.row);
    const what =
      goal.unit === "writes" ? "write calls a message and client" : units[goal.unit].title;
    const bounds =
      plain.goal.bound === v1.goal.bound
        ? goalText(goal)
        : `${goalText(goal)}, ${isAtLeast(goal) ? ">=" : "<="} ${number(v1.goal.bound)}`;
    const cells = both.map(({ estimate, answer }) =>
      estimate === undefined || answer === undefined
        ? ""
        : `${number(estimate.median)}${range(estimate)}: ${answers[answer]}${few(estimate)}`,
    );
    return [[`${row?.title ?? goal.row}: ${what}`, bounds, ...cells]];
  });
  return section("Goals", ["", "goal", "plain", "`windsock.v1`"], lines);
}

/** A verdict of few rounds says little. */
function few({ rounds, interval }: Estimate): string {
  return interval === undefined ? ` (${rounds} ${rounds === 1 ? "round" : "rounds"})` : "";
}

/** What a callback costs, and how that grows with the clients. */
function callbackTable(): string[] {
  const shown = [control, ours.plain, ours.v1, "windsock-durable", "windsock-v1-durable"];
  const lines = rows
    .filter(({ isCallback }) => isCallback === true)
    .map((row) => [
      row.title,
      ...shown.map((peer) => {
        const figure = results.figure(row.name, peer, "callbackNs");
        if (figure === undefined) return "";
        return `${number(figure.median / 1000)} us, ${number(1e9 / figure.median)}`;
      }),
    ])
    .filter(([, ...cells]) => cells.some((cell) => cell !== ""));
  const titles = shown.map((name) => peers.find((peer) => peer.name === name)?.title ?? name);
  const table = section(
    "Callbacks: server CPU for each, and how many a second fill a core",
    ["100 messages on their way, if nothing else is said", ...titles],
    lines,
  );
  const shapes = shown.flatMap((peer) => {
    const one = results.figure("publish-1", peer, "callbackNs");
    const all = results.figure("publish-1000", peer, "callbackNs");
    const title = peers.find(({ name }) => name === peer)?.title ?? peer;
    if (one === undefined || all === undefined) return [];
    const each = (all.median - one.median) / 999;
    return `- ${title}: ${number(Math.max(0, one.median - each) / 1000)} us, and ${number(each / 1000)} us for each client`;
  });
  const rates = ["alone-1", "publish-1"].map((row) => {
    const cells = ["windsock-durable", "windsock-v1-durable"].map((peer) => {
      const figure = results.figure(row, peer, "callbacksPerSecond");
      return figure === undefined ? "not measured" : number(figure.median);
    });
    return `- ${row === "alone-1" ? "one at a time, each its own transaction" : "100 on their way, those of one turn of the loop in one transaction"}: ${cells[0]} plain, ${cells[1]} in \`windsock.v1\``;
  });
  return [
    ...table,
    `Durable publishes a second, as measured (the server had only a part of its core)\n\n${rates.join("\n")}`,
    `A callback that publishes, 100 on their way, costs\n\n${shapes.join("\n")}`,
  ];
}
