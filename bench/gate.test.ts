// What needs no quiet machine: nothing is lost, and messages that are due together leave together.
import { expect, test } from "vitest";
import { goals, ours } from "./goals.ts";
import { peers, type Peer } from "./peers.ts";
import { scenarios, type Scenario } from "./plan.ts";
import { Results } from "./results.ts";
import { Run } from "./runner.ts";
import type { Sample } from "./sample.ts";

/** Elsewhere there is no /proc that counts writes. */
const limits = goals.filter(({ unit }) => unit === "writes" && process.platform === "linux");
/** A machine that is busy may cut a turn in two: the goal is what is reached in one of these rounds. */
const maxRounds = 3;
const [first] = scenarios(300, 2);
if (first === undefined) throw new Error("Expected a scenario of broadcasts, got none.");
const gated: Scenario = {
  ...first,
  clients: 250,
  warmUp: [{ type: "saturate", inFlight: 8, ms: 100, isDirect: false }],
};

async function measure(peer: Peer, round: number): Promise<readonly Sample[]> {
  const run = await Run.start(gated, peer, { round, profile: undefined });
  try {
    return await run.run();
  } finally {
    await run.stop();
  }
}

/** The rows with more writes a message than the goal, in all of these rounds. */
function beyond(rounds: readonly (readonly Sample[])[]): string[] {
  return limits
    .filter(({ row, bound }) =>
      rounds.every((samples) => {
        const found = samples.find((sample) => sample.row === row)?.writesPerMessage;
        return found === undefined || found > bound;
      }),
    )
    .map(({ row }) => row);
}

test.each(peers.filter(({ name }) => name === ours.plain || name === ours.v1))(
  "$name loses nothing, and writes once for what is due together",
  async (peer) => {
    const rounds: (readonly Sample[])[] = [];
    do rounds.push(await measure(peer, rounds.length + 1));
    while (beyond(rounds).length > 0 && rounds.length < maxRounds);
    const results = new Results(rounds.flat());
    expect(results.samples.filter(({ failure }) => failure !== undefined)).toEqual([]);
    const { deliveries, ...faults } = results.faults(peer.name);
    expect(deliveries).toBeGreaterThan(50_000);
    expect(faults).toEqual({ missing: 0, repeated: 0, reordered: 0, damaged: 0, lost: 0 });
    expect(beyond(rounds)).toEqual([]);
  },
  60_000,
);
