import { parseArgs } from "node:util";
import { peers } from "./peers.ts";
import { scenarios } from "./plan.ts";

export const help: string = `pnpm bench [options]

  --rounds N     rounds of every scenario, forwards and backwards in turn  [3; of long ones 1]
  --long         longer phases, all peers, 15 rounds: hours, not minutes
  --only A,B     only these rows, or the rows of these scenarios (see --list)
  --peers A,B    only these servers, and the control
  --name NAME    what the results are called [short, long, or part with --only and --peers]
  --gate         a check without noise, for CI: nothing lost, and no more writes than the goal
  --profile DIR  a CPU profile of each row and server that runs on Node
  --fetch-bun    get Bun from the package registry (100 MB), into bench/.peers
  --list         the rows and the servers`;

export interface Options {
  /** Undefined: 3, and 1 where a round is long. */
  readonly rounds: number | undefined;
  readonly isLong: boolean;
  readonly isGate: boolean;
  readonly isList: boolean;
  readonly isHelp: boolean;
  readonly fetchesBun: boolean;
  readonly only: readonly string[];
  readonly peers: readonly string[];
  readonly profile: string | undefined;
  readonly name: string | undefined;
}

/** Throws an `Error` with a sentence that says what was expected. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    // `pnpm bench -- --long` hands on the `--` too.
    args: args.filter((arg) => arg !== "--"),
    options: {
      rounds: { type: "string" },
      long: { type: "boolean", default: false },
      only: { type: "string" },
      peers: { type: "string" },
      gate: { type: "boolean", default: false },
      profile: { type: "string" },
      name: { type: "string" },
      "fetch-bun": { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const rows = scenarios(1, 1).flatMap(({ name, rows: all }) => [
    name,
    ...all.map((row) => row.name),
  ]);
  return {
    rounds: values.rounds === undefined ? undefined : countOf(values.rounds),
    isLong: values.long,
    isGate: values.gate,
    isList: values.list,
    isHelp: values.help,
    fetchesBun: values["fetch-bun"],
    only: namesOf("--only", values.only, rows),
    peers: namesOf(
      "--peers",
      values.peers,
      peers.map(({ name }) => name),
    ),
    profile: values.profile,
    name: values.name,
  };
}

function countOf(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 100) return rounds;
  throw new Error(`Expected \`--rounds\` to be an integer of 1 to 100, got ${text}.`);
}

function namesOf(option: string, text: string | undefined, known: readonly string[]): string[] {
  const names = text?.split(",") ?? [];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new Error(`Expected \`${option}\` to name some of ${known.join(", ")}, got ${unknown}.`);
}
