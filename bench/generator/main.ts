// The load generator: a process of its own, told by the runner what to do.
import { createInterface } from "node:readline";
import type { Dialect, GeneratorCommands, PhaseResult } from "../commands.ts";
import { usage } from "../servers/control.ts";
import { usualSize } from "../workload.ts";
import { Burst, Paced, Saturation } from "./broadcasts.ts";
import { Echo } from "./echo.ts";
import { Fleet } from "./fleet.ts";
import type { Phase } from "./phase.ts";
import { Stream } from "./stream.ts";

type Command = {
  [Type in keyof GeneratorCommands]: { readonly type: Type } & GeneratorCommands[Type]["ask"];
}[keyof GeneratorCommands];

const fleet = new Fleet();
const streams = new Map<string, Stream>();
let dialect: Dialect = { kind: "plain", path: "/", prefix: "", suffix: "" };
let last: Phase | undefined;

function streamOf(size: number): Stream {
  const key = `${size} ${dialect.kind} ${dialect.prefix} ${dialect.suffix}`;
  const stream = streams.get(key) ?? new Stream(size, dialect);
  streams.set(key, stream);
  return stream;
}

async function run(command: Command): Promise<unknown> {
  switch (command.type) {
    case "usage":
      return usage();
    case "open":
      dialect = command.dialect;
      streamOf(usualSize);
      return fleet.open(command);
    case "burst": {
      const { size, count, bursts } = command;
      return phase(new Burst(fleet, streamOf(size), count, bursts));
    }
    case "saturate": {
      const { size, inFlight, ms, isDirect } = command;
      return phase(new Saturation(fleet, streamOf(size), inFlight, ms, isDirect));
    }
    case "paced": {
      const { size, perSecond, ms } = command;
      return phase(new Paced(fleet, streamOf(size), perSecond, ms));
    }
    case "echo": {
      const { size, inFlight, ms } = command;
      return phase(new Echo(fleet, streamOf(size), 1, inFlight, ms));
    }
    case "silent": {
      const { size, every, ms } = command;
      return phase(new Echo(fleet, streamOf(size), every, every, ms));
    }
    case "release":
      return last?.release();
    case "close":
      return { closed: fleet.close(command.onlySlow) };
  }
}

function phase(one: Phase): Promise<PhaseResult> {
  last = one;
  return one.run();
}

const lines = createInterface({ input: process.stdin });
lines.on("close", () => process.exit(0));
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of lines) {
  const command = JSON.parse(line) as Command | { readonly type: "exit" };
  if (command.type === "exit") process.exit(0);
  process.stdout.write(`${JSON.stringify(await run(command))}\n`);
}
