import fc from "fast-check";
import { expect, test } from "vitest";
import { defineService, stop } from "../src/index.ts";
import { settle, type PlainClient } from "../src/testing/index.ts";
import { serve } from "./serve.ts";

// A server that stops while everything else happens as well.

test("a stop in the middle of joins, messages, crashes and leaves ends every client, once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.constantFrom(
          "open",
          "open",
          "open",
          "cut",
          "close",
          "hello",
          "crash",
          "stop",
          "info",
          "settle",
          "settle",
        ),
        {
          minLength: 10,
          maxLength: 40,
        },
      ),
      async (steps) => {
        const unexpected: unknown[] = [];
        const terminated: string[] = [];
        const room = defineService({
          params: ["id"],
          async handleIncoming(client, message) {
            if (message === "crash") throw new Error("boom");
            if (message === "stop") return stop("enough");
            await Promise.resolve();
            client.send("heard");
            return undefined;
          },
          handleInfo: (_what, _state, service) => service.publish("told"),
          terminate: (reason, _state, service) =>
            void terminated.push(`${service.address} ${reason.type}`),
        });
        const { server, open, clock, reports } = await serve({ "room/[id]": room });
        const clients: PlainClient[] = [];
        const opening: Promise<unknown>[] = [];
        for (const [n, step] of steps.entries()) {
          const client = clients[n % Math.max(clients.length, 1)];
          switch (step) {
            case "open":
              opening.push(
                open(`room/${n % 3}`).then(
                  (opened) => clients.push(opened),
                  // Refused, or its connection ended: both are answers.
                  () => undefined,
                ),
              );
              break;
            case "cut":
              client?.cut();
              break;
            case "close":
              client?.close();
              break;
            case "info":
              server.info(`room/${n % 3}`, "x");
              break;
            case "settle":
              await Promise.all(opening);
              await settle();
              break;
            case "hello":
            case "crash":
            case "stop":
              if (client?.isOpen === true) client.send(step);
              break;
          }
        }
        const ticking = setInterval(() => void clock.advance(100), 1);
        const stopped = await server.stop();
        await Promise.all(opening);
        await Promise.all(clients.map((client) => client.closed));
        clearInterval(ticking);
        expect(stopped).toEqual({ timedOut: false });
        expect(server.services()).toEqual([]);
        const shutdowns = terminated.filter((line) => line.endsWith("shutdown"));
        expect(new Set(shutdowns).size).toBe(shutdowns.length);
        for (const report of reports)
          if (
            report.type === "failure" ||
            (report.type === "crash" && !/boom/.test(String(report.error)))
          )
            unexpected.push(report);
        expect(unexpected).toEqual([]);
      },
    ),
    { numRuns: 30 },
  );
});

test("a callback that never settles holds a stop up no longer than its own time", async () => {
  const seen: string[] = [];
  const hung = defineService({
    limits: { callbackTimeoutMs: 100 },
    handleInfo: () => new Promise<never>(() => {}),
    terminate: (reason) => void seen.push(reason.type),
  });
  const { server, clock } = await serve({ hung });
  server.info("hung", "hang");
  await settle();
  const stopped = server.stop();
  await clock.advance(100);
  expect(await stopped).toEqual({ timedOut: false });
  expect(seen).toEqual(["error", "shutdown"]);
});

test("a terminate that never settles holds a stop up no longer than its own time", async () => {
  const hung = defineService({
    limits: { callbackTimeoutMs: 100 },
    terminate: () => new Promise<never>(() => {}),
  });
  const { server, clock, reports } = await serve({ hung });
  const stopped = server.stop();
  await clock.advance(100);
  expect(await stopped).toEqual({ timedOut: false });
  expect(reports).toMatchObject([{ type: "crash", callback: "terminate", restarts: false }]);
});

test("a service that is down, and one that crashes in a loop, do not hold a stop up", async () => {
  const loop = defineService({
    limits: { maxRestarts: 1_000_000 },
    init(service) {
      service.sendAfter(1 as never, 1);
    },
    handleInfo() {
      throw new Error("boom");
    },
  });
  const down = defineService({
    limits: { maxRestarts: 1 },
    init() {
      throw new Error("no database");
    },
  });
  const { server, clock } = await serve({ loop, down });
  await clock.advance(10);
  expect(server.services().map(({ state }) => state)).toEqual(["running", "down"]);
  const stopped = server.stop();
  await clock.advance(10);
  expect(await stopped).toEqual({ timedOut: false });
  expect(server.services()).toEqual([]);
});
