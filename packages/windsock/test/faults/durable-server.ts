// A server with durable services, for tests that kill it: `node durable-server.ts <history file> <port>`.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { z } from "zod";
import { createServer, defineService, reply, type } from "../../src/index.ts";

const [file = "", port = "0"] = process.argv.slice(2);

export const publishToken = "0123456789abcdef";

const history = { durable: true, messages: 1_000_000, bytes: 1_000_000_000 } as const;

/** How a server is, and has been since it was asked last. */
export interface ServerFigures {
  readonly rssMb: number;
  readonly heapMb: number;
  readonly buffersMb: number;
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  readonly cpuMs: number;
}

/** Publishes what it is sent. Crashes when it is told to. */
const news = defineService({
  history,
  handleIncoming(_client, message: unknown, _state, service) {
    if (message === "crash") throw new Error("as asked");
    service.publish(message as string);
  },
});

/** How far one sender has been counted. */
interface Tally {
  /** How many were counted. */
  count: number;
  last: number;
  /** Numbers that came when another was due. */
  strays: number[];
}

export interface CounterState {
  readonly total: number;
  readonly tallies: Readonly<Record<string, Tally>>;
}

export interface Increment {
  readonly from: string;
  readonly number: number;
}

function counted({ total, tallies }: CounterState, { from, number }: Increment): CounterState {
  const { count, last, strays } = tallies[from] ?? { count: 0, last: 0, strays: [] };
  const isNext = number === last + 1;
  const tally = {
    count: count + 1,
    last: number,
    strays: isNext ? strays : [...strays, number],
  };
  return { total: total + 1, tallies: { ...tallies, [from]: tally } };
}

/** Counts, and says to the sender what it has counted: by a message, or by a reply. */
const counter = defineService({
  history,
  state: { durable: true },
  init: (): CounterState => ({ total: 0, tallies: {} }),
  calls: {
    add: { request: z.object({ from: z.string(), number: z.number() }), response: type<number>() },
    read: { response: type<CounterState>() },
  },
  handleCall: {
    add: (_client, increment, state) => reply(increment.number, counted(state, increment)),
    read: (_client, _request, state) => reply(state),
  },
  handleIncoming(client, message: unknown, state) {
    const increment = message as Increment;
    client.send(increment.number);
    return counted(state, increment);
  },
});

const server = await createServer({
  port: Number(port),
  services: { news, counter },
  historyFile: file,
  publishToken,
  limits: { maxConnectionsPerAddress: 20_000 },
});
console.log(server.url);

// How it has been since it was asked last.
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
let cpu = process.cpuUsage();
process.on("message", () => {
  const { user, system } = process.cpuUsage(cpu);
  cpu = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const ms = (ns: number): number => Math.round(ns / 1e6);
  const figures: ServerFigures = {
    rssMb: Math.round(rss / 2 ** 20),
    heapMb: Math.round(heapUsed / 2 ** 20),
    buffersMb: Math.round(external / 2 ** 20),
    delayP50Ms: ms(delay.percentile(50)),
    delayP99Ms: ms(delay.percentile(99)),
    delayMaxMs: ms(delay.max),
    cpuMs: Math.round((user + system) / 1000),
  };
  delay.reset();
  process.send?.(figures);
});
process.channel?.unref();
server.stopOnSignals();
