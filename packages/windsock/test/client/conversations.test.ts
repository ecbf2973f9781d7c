import { describe, expect, test } from "vitest";
import type { Channel, ChannelEvent, ClientError } from "../../src/client/index.ts";
import type { AnyTyped } from "../any-typed.ts";
import { vectors, type Line } from "../protocol/vectors.ts";
import { coreRig, rig, type Rig } from "./rig.ts";

type Outcome = { readonly value: unknown } | { readonly code: string };

/** Plays a conversation of the vectors with our client. Gives what it sent and told its application, as lines. */
async function play(world: Rig, lines: readonly Line[]): Promise<Line[]> {
  const { clock, network, connect } = world;
  const played: Line[] = [];
  let channel: Channel<AnyTyped> | undefined;
  let log: ChannelEvent<AnyTyped>[] = [];
  let read = 0;
  let sockets = 1;
  const outcomes: (Outcome | undefined)[] = [];
  const settles = (promise: Promise<unknown>): void => {
    const index = outcomes.push(undefined) - 1;
    promise.then(
      (value) => (outcomes[index] = { value }),
      (error: unknown) => (outcomes[index] = { code: (error as ClientError).code }),
    );
  };

  const act = async (verb: string, args: readonly unknown[]): Promise<void> => {
    switch (verb) {
      case "connect":
        ({ channel, log } = connect(args[0] as string));
        break;
      case "send":
        settles(channel!.send(args[0], args[1] as object | undefined));
        break;
      case "call":
        settles(channel!.call(args[0] as string, args[1]));
        break;
      case "reauthorize":
        settles(channel!.reauthorize(args[0]));
        break;
      case "close":
        channel!.close();
        break;
      case "cut":
        network.server.cut();
        sockets += 1;
        break;
      case "socket":
        sockets = args[0] as number;
        break;
      case "wait":
        await clock.advance(args[0] as number);
        break;
      default:
        throw new Error(`Expected a known verb, got ${verb}.`);
    }
    await clock.advance(0);
  };

  /** What the application was told next, state changes aside unless they are asked for. */
  const told = (what: string): unknown[] => {
    for (let event = log[read]; event !== undefined; event = log[read]) {
      read += 1;
      if (event.type !== what) continue;
      switch (event.type) {
        case "message":
          return [event.message];
        case "snapshot":
          return [event.snapshot];
        case "state":
          return [event.state.type];
        case "error":
          return [event.error.code];
        default:
          return [];
      }
    }
    return ["nothing of the kind"];
  };

  for (const line of lines) {
    if ("app" in line) {
      const [verb, ...args] = line.app;
      await act(verb, args);
      played.push(line);
    } else if ("server" in line) {
      network.server.send(line.server);
      await clock.advance(0);
      played.push(line);
    } else if ("client" in line) {
      // Waits of a reconnection are at most 500 ms here.
      if (network.servers.length < sockets || network.server.received.length === 0)
        await clock.advance(500);
      const isThere = network.servers.length === sockets;
      played.push({ client: isThere ? String(network.server.received.shift()) : "no connection" });
    } else {
      const [what, first, ...rest] = line.got;
      const outcome = outcomes[(first as number) - 1];
      if (what === "settled" || what === "failed") {
        const isAsTold = what === "settled" ? outcome && "value" in outcome : true;
        const value = outcome && Object.values(outcome)[0];
        played.push({
          got: [isAsTold ? what : "failed", first, ...(rest.length > 0 ? [value] : [])],
        });
      } else if (what === "state") {
        let [state] = told("state");
        while (state !== first && log.length > read) [state] = told("state");
        played.push({ got: [what, state] });
      } else played.push({ got: [what, ...told(what)] });
    }
  }
  // Nothing else was sent, and entries that are not for it did not reach the application.
  for (const message of network.server.received) played.push({ client: String(message) });
  for (const event of log.slice(read))
    if (event.type === "message") played.push({ got: ["message", event.message] });
  return played;
}

describe.each([
  { client: "the client", make: () => rig() },
  { client: "the core client", make: coreRig },
])("$client", ({ make }) => {
  test.each(vectors.conversations)("$name", async ({ lines }) => {
    expect(await play(make(), lines)).toEqual(lines);
  });
});
