import { expect, onTestFinished, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { MemoryWorld } from "./memory-world.ts";

// What a topic is was asked of the service, which did not know yet: a log of the app's was taken for
// published entries. With a durable state nothing came of it any more, and nobody said so; without,
// the joins were replayed and all of it came again.
test.each([
  ["and its state", true],
  ["and no more", false],
])(
  "who comes back while a service with its log %s starts goes on in the logs of the app's",
  async (_what, durable) => {
    const lines = ["1", "2"];
    let { promise: ready, resolve: begin } = Promise.withResolvers<void>();
    const status = defineService({
      history: { durable: true },
      state: { durable },
      async init(service) {
        await ready;
        service.log("file", {
          head: () => lines.length,
          read: (from) => ({ messages: lines.slice(from), next: lines.length }),
        });
        return 0;
      },
      handleJoin: (client) => client.subscribe("file", { from: 0 }),
      handleBroadcast(line: string, _state, service) {
        lines.push(line);
        service.advance("file");
      },
    });
    const world = new MemoryWorld({ status }, () => 0.5);
    onTestFinished(() => world.end());
    begin();
    const first = world.openSession();
    await first.send({ type: "join", channel: 1, path: "status", options: {} });
    await settle();
    const [joined] = first.received();
    if (joined?.type !== "joined") throw new Error("it has not joined");
    const { token, epoch } = joined.info;

    ({ promise: ready, resolve: begin } = Promise.withResolvers<void>());
    world.kill();
    const second = world.openSession();
    const resume = { token, epoch, seq: 0, count: 0, tails: { file: 2 } };
    await second.send({ type: "join", channel: 1, path: "status", options: { resume } });
    expect(second.received()[0]).toMatchObject({ type: "joined", info: { answer: "resumed" } });
    begin();
    await settle();
    world.host.broadcast("status", "3");
    await settle();
    await settle();
    const rest = second.received().flatMap((one) => (one.type === "tail" ? [one.payload] : []));
    expect(rest).toEqual(["3"]);
    expect(second.received().map(({ type }) => type)).not.toContain("log");
    expect(world.reports).toEqual([]);
  },
);
