import { queryObjects } from "node:v8";
import { expect, test, vi } from "vitest";
import { Member } from "../src/edge/member.ts";
import { defineService, reply, type } from "../src/index.ts";
import type { ActorToEdge } from "../src/protocol/port.ts";
import { ServiceClient } from "../src/service/service-client.ts";
import { ServiceHost } from "../src/service/service-host.ts";
import { ServiceTimer } from "../src/service/service-timers.ts";
import { Turn } from "../src/service/turn.ts";
import { settle, VirtualClock } from "../src/testing/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

// What is over leaves nothing behind: objects are counted, after a collection of garbage.

// A count takes a collection of the whole heap for each kind: seconds, on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const kinds = { ServiceClient, Member, Turn, ServiceTimer };
type Kind = keyof typeof kinds;

/** How many objects of each kind are alive. */
async function alive(): Promise<Record<Kind, number>> {
  // What the last promises hold is let go only after they have run.
  await settle();
  return Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [
      name,
      Number(queryObjects(kind as new () => object, { format: "count" })),
    ]),
  ) as Record<Kind, number>;
}

/** A service that does something of each kind for a client. */
const busy = () =>
  defineService({
    info: type<string>(),
    init: () => new Set<string>(),
    handleJoin(client, ids, service) {
      client.subscribe("news", { from: 0 });
      client.send("hello");
      service.sendAfter("tick", 10).cancel();
      service.sendAfter("tick", 1);
      return ids.add(client.id);
    },
    handleClose(client, _reason, ids) {
      ids.delete(client.id);
      return ids;
    },
    handleInfo: (_what, _ids, service) => service.publish("news", "tick"),
  });

test("2,000 clients that join and leave leave nothing with the actor's side", async () => {
  const clock = new VirtualClock();
  const posted = { admitted: 0, commit: 0 };
  const host = new ServiceHost({
    services: [{ name: "busy", service: busy() }],
    addresses: {
      parse: (address) => (address === "busy" ? { name: "busy", params: {} } : undefined),
      format: (name) => name,
    },
    clock,
    report: (report) => expect(report).toBeUndefined(),
  });
  const outlet = {
    post(message: ActorToEdge) {
      if (message.type === "admitted" || message.type === "commit") posted[message.type] += 1;
    },
  };
  const toActors = host.connect("edge", outlet);
  host.start();
  const cycle = async (from: number, count: number) => {
    for (let n = from; n < from + count; n++) {
      const mid = `client ${n}`;
      const common = { address: "busy", mid } as const;
      toActors.post({
        ...common,
        type: "join",
        sessionId: "",
        protocol: "",
        request: { url: "http://localhost/", rawHeaders: [], remoteAddress: "" },
        user: undefined,
        dialect: "plain",
      });
      // Some leave before their join was handled.
      if (n % 3 === 0) await settle();
      toActors.post({ ...common, type: "leave", reason: { type: "lost" } });
    }
    await clock.advance(100);
  };
  await cycle(0, 100);
  const before = await alive();
  const pending = clock.pending;
  for (let n = 0; n < 2000; n += 500) await cycle(100 + n, 500);
  expect(posted.admitted).toBe(2100);
  expect(host.services()).toMatchObject([{ clients: 0, mailboxMessages: 0 }]);
  expect(await alive()).toEqual(before);
  expect(clock.pending).toBe(pending);
  host.close();
});

test("200 sockets that come and go leave nothing with the server", async () => {
  const { server, open, clock } = await serve({ busy: busy() });
  const cycle = async (count: number) => {
    const clients = await Promise.all(Array.from({ length: count }, () => open("busy")));
    for (const [n, client] of clients.entries()) {
      if (n % 2 === 0) client.close();
      else client.cut();
    }
    await Promise.all(clients.map((client) => client.closed));
    await until(clock, () => server.services()[0]?.clients === 0);
    await clock.advance(100);
  };
  await cycle(50);
  const before = await alive();
  const pending = clock.pending;
  for (let n = 0; n < 4; n++) await cycle(50);
  expect(await alive()).toEqual(before);
  expect(clock.pending).toBe(pending);
});

test("calls that were answered, refused, timed out or aborted leave nothing behind", async () => {
  const never = defineService({
    calls: { ask: {}, hang: {} },
    handleCall: {
      ask: () => reply(undefined),
      hang: () => new Promise<never>(() => {}),
    },
    limits: { callbackTimeoutMs: 50, maxRestarts: 1_000_000 },
  });
  const { server, clock } = await serve({ never });
  await server.call("never", "ask");
  const pending = clock.pending;
  const before = await alive();
  const controller = new AbortController();
  for (let n = 0; n < 20; n++) {
    const calls = [
      server.call("never", "ask"),
      server.call("never", "nothing" as never),
      server.call("never", "hang", undefined, { timeoutMs: 10 }),
      server.call("never", "hang", undefined, { signal: controller.signal }),
      server.call("never", "ask", undefined, { signal: AbortSignal.abort() }),
    ];
    const settled = Promise.allSettled(calls);
    await clock.advance(200);
    await settled;
  }
  expect(await alive()).toEqual(before);
  expect(clock.pending).toBe(pending);
});
