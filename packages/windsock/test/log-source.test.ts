import { expect, test } from "vitest";
import { defineService, OverloadedError, type LogSource } from "../src/index.ts";
import { serve } from "./serve.ts";

// A log that the app keeps may fail in any way that code can. Its readers are told, nobody else.

const good: LogSource = {
  head: () => 2,
  read: (from) => ({ messages: ["one", "two"].slice(from), next: 2 }),
};

const broken: Record<string, { source: LogSource; why: RegExp }> = {
  "that throws": {
    source: {
      ...good,
      read: () => {
        throw new Error("disk on fire");
      },
    },
    why: /disk on fire/,
  },
  "that rejects": {
    source: { ...good, read: () => Promise.reject(new Error("disk on fire")) },
    why: /disk on fire/,
  },
  "that never settles": {
    source: { ...good, read: () => new Promise<never>(() => {}) },
    why: /to answer within 100 ms/,
  },
  "whose head is no number": {
    source: { ...good, head: () => Number.NaN },
    why: /an offset of at least 0, got NaN/,
  },
  // It read the same part again and again, as fast as the socket took it.
  "that goes back": {
    source: { ...good, read: (from) => ({ messages: ["again"], next: from - 1 }) },
    why: /an offset of at least 0, got -1/,
  },
  "whose messages cannot be sent": {
    source: { ...good, read: () => ({ messages: [undefined as never], next: 1 }) },
    why: /Expected a string, a Uint8Array/,
  },
};

test.each(Object.entries(broken))(
  "a log %s closes its reader with 1011, and the service goes on",
  async (name, { source, why }) => {
    const probe = defineService({
      limits: { callbackTimeoutMs: 100 },
      init: (service) => service.log("log", source),
      handleJoin(client) {
        if (!client.request.url.searchParams.has("reads")) return;
        client.subscribe("log", name.startsWith("whose head") ? {} : { from: 0 });
      },
    });
    const { server, open, clock, reports } = await serve({ probe });
    const bystander = await open("probe");
    const reader = await open("probe?reads");
    await clock.advance(100);
    expect(await reader.closed).toMatchObject({ code: 1011 });
    expect(reader.received).toEqual([]);
    expect(reports).toMatchObject([{ type: "failure", where: 'the log "log" of probe' }]);
    expect(String(reports[0]?.type === "failure" && reports[0].error)).toMatch(why);
    server.broadcast("probe", "still here");
    expect(await bystander.next()).toBe("still here");
    expect(server.services()[0]?.generation).toBe(1);
  },
);

test("a service may have as many logs of the app's as it may, and another source for one of them", async () => {
  const errors: unknown[] = [];
  const probe = defineService({
    limits: { maxLogs: 2 },
    init(service) {
      service.log("one", good);
      service.log("two", good);
      service.log("one", good);
      try {
        service.log("three", good);
      } catch (error) {
        errors.push(error);
      }
    },
  });
  const { reports } = await serve({ probe });
  expect(errors).toEqual([expect.any(OverloadedError)]);
  expect(String(errors[0])).toContain("limits.maxLogs");
  expect(reports).toEqual([]);
});

test("a log needs a topic with a name, and is known before it is advanced", async () => {
  const errors: string[] = [];
  const attempt = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      errors.push(String(error));
    }
  };
  const probe = defineService({
    init(service) {
      attempt(() => service.log("", good));
      attempt(() => service.advance("unknown"));
      service.log("log", good);
      attempt(() => service.advance("log"));
    },
  });
  await serve({ probe });
  expect(errors).toEqual([
    expect.stringContaining("Expected `service.log` to get a topic with a name"),
    expect.stringContaining("Expected a topic that `service.log` has put a log under"),
  ]);
});
