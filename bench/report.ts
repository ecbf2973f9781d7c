import { isAtLeast, ours, type Goal } from "./goals.ts";
import { control, type Peer } from "./peers.ts";
import type { Row } from "./plan.ts";
import type { Estimate, Results } from "./results.ts";
import { plainUnits, units, type Unit } from "./sample.ts";

export interface RunFacts {
  readonly date: string;
  readonly commit: string;
  readonly kind: string;
  readonly machine: string;
  readonly node: string;
  readonly bun: string | undefined;
  readonly isPinned: boolean;
  readonly minutes: number;
  /** What the machine did meanwhile. */
  readonly remark?: string;
}

/** The run as a page of Markdown. */
export function report(
  facts: RunFacts,
  results: Results,
  rows: readonly Row[],
  peers: readonly Peer[],
): string {
  const sections = [
    `# Bench, ${facts.date.slice(0, 10)} (${facts.kind})`,
    paragraph(facts),
    ...figures(results, rows, peers),
    ...verdicts(results, rows),
    ...correctness(results, peers),
    ...notes(results),
    ...failures(results),
  ];
  return `${sections.join("\n\n")}\n`;
}

function paragraph(facts: RunFacts): string {
  const cores = facts.isPinned
    ? "server and generator held on a core each"
    : "server and generator not held on a core each";
  const runtimes =
    facts.bun === undefined ? `Node ${facts.node}` : `Node ${facts.node}, Bun ${facts.bun}`;
  return (
    `Commit ${facts.commit}; ${facts.machine}; ${runtimes}; ${cores}; ${facts.minutes.toFixed(0)} minutes${facts.remark === undefined ? "" : `; ${facts.remark}`}. ` +
    "Each cell: the median over the rounds, and behind it the median of the ratios to `ws` in the same round, with its 95 % interval from five rounds on."
  );
}

function figures(results: Results, rows: readonly Row[], peers: readonly Peer[]): string[] {
  const lines: string[][] = [];
  for (const row of rows) {
    for (const unit of Object.keys(units) as Unit[]) {
      if (peers.every(({ name }) => results.figure(row.name, name, unit) === undefined)) continue;
      const cells = peers.map(({ name }) => cell(results, row.name, name, unit));
      lines.push([`${row.title}: ${units[unit].title}`, ...cells]);
    }
  }
  const writes = perRow(rows, peers, (row, peer) => {
    const found = results.writes(row, peer);
    return found === undefined ? "" : found.median.toFixed(4);
  });
  const latencies = perRow(rows, peers, (row, peer) => {
    const p50 = results.p50(row, peer);
    const p99 = results.p99(row, peer);
    return p50 === undefined || p99 === undefined
      ? ""
      : `${number(p50.median)} / ${number(p99.median)}`;
  });
  const head = ["", ...peers.map(({ title }) => title)];
  return [
    ...section("Figures", head, lines),
    ...section("Write calls for each message and client", head, writes),
    ...section("Time from the order to the arrival, p50 / p99 in ms", head, latencies),
  ];
}

function perRow(
  rows: readonly Row[],
  peers: readonly Peer[],
  text: (row: string, peer: string) => string,
): string[][] {
  return rows
    .map((row) => [row.title, ...peers.map(({ name }) => text(row.name, name))])
    .filter(([, ...cells]) => cells.some((one) => one !== ""));
}

function cell(results: Results, row: string, peer: string, unit: Unit): string {
  const figure = results.figure(row, peer, unit);
  if (figure === undefined) return "";
  const hasRatio = peer !== control && !plainUnits.has(unit);
  const ratio = !hasRatio ? undefined : results.ratio(row, peer, control, unit);
  return ratio === undefined
    ? number(figure.median)
    : `${number(figure.median)} · **${number(ratio.median)}**${range(ratio)}`;
}

const answers = {
  met: "met",
  interval: "met by the interval, not by the median",
  missed: "**not met**",
} as const;

function verdicts(results: Results, rows: readonly Row[]): string[] {
  const titles = new Map(rows.map(({ name, title }) => [name, title]));
  const lines = results
    .verdicts()
    .filter(({ estimate }) => estimate !== undefined)
    .map(({ goal, peer, estimate, answer }) => {
      const unit =
        goal.unit === "writes" ? "write calls a message and client" : units[goal.unit].title;
      const found = estimate === undefined ? "" : `${number(estimate.median)}${range(estimate)}`;
      return [
        titles.get(goal.row) ?? goal.row,
        unit,
        peer === ours.v1 ? "`windsock.v1`" : "plain",
        goalText(goal),
        found,
        answer === undefined ? "" : answers[answer],
      ];
    });
  return section("Goals", ["", "", "dialect", "goal", "measured", ""], lines);
}

/** What is to be reached, as in `<= 0.0200 x ws`. */
export function goalText(goal: Goal): string {
  const against = goal.against === undefined ? "" : ` x ${goal.against}`;
  return `${isAtLeast(goal) ? ">=" : "<="} ${number(goal.bound)}${against}`;
}

function correctness(results: Results, peers: readonly Peer[]): string[] {
  const counted = peers.filter(({ name }) => results.faults(name).deliveries > 0);
  const lines = counted.map(({ name, title }) => {
    const { deliveries, missing, repeated, reordered, damaged, lost } = results.faults(name);
    return [
      title,
      deliveries.toLocaleString("en"),
      ...[missing, repeated, reordered, damaged, lost].map(String),
    ];
  });
  const head = ["deliveries", "missing", "repeated", "reordered", "damaged", "connections lost"];
  return section("Correctness", ["", ...head], lines);
}

function notes(results: Results): string[] {
  const lines = results.samples
    .filter(({ note }) => note !== undefined)
    .map(({ peer, row, round, note }) => `- ${peer}, ${row}, round ${round}: ${note}`);
  return lines.length === 0 ? [] : ["## Notes", lines.join("\n")];
}

function failures(results: Results): string[] {
  const lines = results.samples
    .filter(({ failure }) => failure !== undefined)
    .map(({ peer, row, round, failure }) => `- ${peer}, ${row}, round ${round}: ${failure}`);
  return lines.length === 0 ? [] : ["## Failures", lines.join("\n")];
}

/** A heading and a table; nothing where the table has no lines. */
export function section(
  heading: string,
  head: readonly string[],
  lines: readonly (readonly string[])[],
): string[] {
  if (lines.length === 0) return [];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(head.map((_, index) => (index === 0 ? "---" : "---:")));
  return [`## ${heading}`, [line(head), rule, ...lines.map(line)].join("\n")];
}

export function range({ interval }: Estimate): string {
  return interval === undefined ? "" : ` [${number(interval.low)}, ${number(interval.high)}]`;
}

/** Three digits that count. */
export function number(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toPrecision(3);
}
