import { expect, test } from "vitest";
import { startRig } from "../../test/edge-rig.ts";
import { defineService, type Client } from "../index.ts";

/** Frames are counted in these. */
const lineBytes = 100;

function linesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index}`.padEnd(lineBytes, "."));
}

/** A log of lines in memory, whose offsets are line numbers. */
class Lines {
  readonly lines: string[];
  reads: number[] = [];
  /** Each read waits for it. */
  gate: Promise<void> | undefined;

  constructor(count: number) {
    this.lines = linesOf(count);
  }

  head = (): number => this.lines.length;

  read = async (
    from: number,
    maxBytes: number,
  ): Promise<{ messages: readonly string[]; next: number }> => {
    this.reads.push(from);
    const messages = this.lines.slice(from, from + Math.floor(maxBytes / lineBytes));
    if (this.gate !== undefined) await this.gate;
    return { messages, next: from + messages.length };
  };
}

/** Who joins follows `log` from its beginning; a broadcast appends a line. */
function logService(log: Lines, from: number | undefined = 0) {
  return defineService({
    init: (service) => service.log("log", log),
    handleJoin: (client) => client.subscribe("log", from === undefined ? {} : { from }),
    handleBroadcast(message: string, _state, service) {
      log.lines.push(message);
      service.advance("log");
    },
  });
}

test("a late viewer that reads slowly gets a log of 5 MB whole, and never has more than two chunks waiting", async () => {
  const log = new Lines(50_000);
  const rig = startRig(logService(log));
  const { transport } = await rig.open();
  transport.isReading = false;
  await rig.idle();
  while (transport.received.length < 50_000) {
    const before = transport.received.length;
    transport.take(30_000);
    await rig.idle();
    if (transport.received.length === before && transport.bufferedBytes === 0) break;
  }
  expect(transport.received).toEqual(log.lines);
  expect(transport.mostBuffered).toBeLessThan(2 * 70_000);
});

test("50 viewers that joined in one turn share every read", async () => {
  const log = new Lines(2000);
  const rig = startRig(logService(log));
  const opened = await Promise.all(Array.from({ length: 50 }, () => rig.open()));
  await rig.idle();
  for (const { transport } of opened) expect(transport.received).toEqual(log.lines);
  // 2,000 lines are four chunks; then everybody looks once whether that was all.
  expect(log.reads).toEqual([0, 655, 1310, 1965, 2000]);
});

test("what a log gains while it is being read is never missed", async () => {
  const log = new Lines(3);
  let open: () => void = () => {};
  log.gate = new Promise((resolve) => (open = resolve));
  const rig = startRig(logService(log));
  const { transport } = await rig.open();
  await rig.idle();
  rig.host.broadcast("status", "late");
  await rig.idle();
  expect(transport.received).toEqual([]);
  open();
  await rig.idle();
  expect(transport.received).toEqual(log.lines);
});

test("without a position a viewer begins at the end, also when the end takes time to find", async () => {
  const log = new Lines(3);
  let found: (head: number) => void = () => {};
  const rig = startRig(
    defineService({
      init: (service) =>
        service.log("log", {
          head: () => new Promise<number>((resolve) => (found = resolve)),
          read: log.read,
        }),
      handleJoin: (client) => client.subscribe("log"),
      handleBroadcast(message: string, _state, service) {
        log.lines.push(message);
        service.advance("log");
      },
    }),
  );
  const { transport } = await rig.open();
  await rig.idle();
  found(3);
  await rig.idle();
  rig.host.broadcast("status", "new");
  await rig.idle();
  expect(transport.received).toEqual(["new"]);
});

test("a log that cannot be read closes its viewers with 1011, and is reported", async () => {
  const rig = startRig(
    defineService({
      init: (service) =>
        service.log("log", {
          head: () => 0,
          read: () => Promise.reject(new Error("disk on fire")),
        }),
      handleJoin: (client) => client.subscribe("log", { from: 0 }),
    }),
  );
  const { transport } = await rig.open();
  await rig.idle();
  expect(transport.closed).toEqual({ code: 1011, reason: "the log could not be read" });
  expect(rig.reports).toMatchObject([{ type: "failure", where: 'the log "log" of status' }]);
});

test("a log that does not answer in time closes its viewers with 1011, and is reported", async () => {
  const rig = startRig(
    defineService({
      limits: { callbackTimeoutMs: 1000 },
      init: (service) => service.log("log", { head: () => 0, read: () => new Promise(() => {}) }),
      handleJoin: (client) => client.subscribe("log", { from: 0 }),
    }),
  );
  const { transport } = await rig.open();
  await rig.idle();
  await rig.clock.advance(1001);
  await rig.idle();
  expect(transport.closed?.code).toBe(1011);
  expect(rig.reports).toMatchObject([{ type: "failure" }]);
});

// The subscription of a slow client waits in its queue. When the last other viewer left
// meanwhile, the edge forgot the log; the waiting one followed what nobody told of growth.
test("a viewer whose subscription waits behind a slow socket still hears of growth when all others have left", async () => {
  const log = new Lines(1);
  const rig = startRig(
    defineService({
      init: (service) => service.log("log", log),
      handleIncoming(client) {
        client.send("x".repeat(200_000));
        client.subscribe("log", { from: 0 });
      },
      handleBroadcast(message: string, _state, service) {
        log.lines.push(message);
        service.advance("log");
      },
    }),
  );
  const [first, slow] = [await rig.open(), await rig.open()];
  await rig.idle();
  first.transport.send("");
  await rig.idle();
  slow.transport.isReading = false;
  slow.transport.send("");
  await rig.idle();
  slow.transport.send("");
  await rig.idle();
  first.transport.leave();
  slow.transport.read();
  await rig.idle();
  rig.host.broadcast("status", "grown");
  await rig.idle();
  expect(slow.transport.received.filter((each) => String(each).length < 1000)).toEqual(log.lines);
});

// The answer to a read found its tap by client and topic alone: one that was on its way when
// the client subscribed anew moved the new tap to the old place.
test("an answer that was on its way does not disturb a subscription made after it was asked for", async () => {
  const log = new Lines(4);
  let open: () => void = () => {};
  log.gate = new Promise((resolve) => (open = resolve));
  const rig = startRig(
    defineService({
      init: (service) => service.log("log", log),
      handleIncoming(client, from) {
        client.unsubscribe("log");
        client.subscribe("log", { from: Number(from) });
      },
    }),
  );
  const { transport } = await rig.open();
  await rig.idle();
  transport.send("0");
  await rig.idle();
  transport.send("2");
  await rig.idle();
  open();
  await rig.idle();
  expect(transport.received).toEqual(log.lines.slice(2));
});

test("a viewer that leaves before its subscription was looked at leaves no log behind", async () => {
  const rig = startRig(logService(new Lines(1)));
  const joined = Promise.all([rig.join("a", "status"), rig.join("b", "status")]);
  await rig.idle();
  await joined;
  rig.edge.abandon("a");
  rig.attach("b");
  await rig.idle();
  expect(rig.edge.counts()).toEqual({ members: 1, feeds: 1, appLogs: 1, questions: 0 });
  rig.edge.abandon("b");
  await rig.idle();
  expect(rig.edge.counts()).toEqual({ members: 0, feeds: 0, appLogs: 0, questions: 0 });
});

test("a second subscription to a log that is followed already keeps its place", async () => {
  const log = new Lines(3);
  const clients: Client[] = [];
  const rig = startRig(
    defineService({
      init: (service) => service.log("log", log),
      handleJoin: (client) => void clients.push(client),
      handleBroadcast(from: number) {
        for (const client of clients) client.subscribe("log", { from });
      },
    }),
  );
  const { transport } = await rig.open();
  await rig.idle();
  for (const from of [1, 0]) {
    rig.host.broadcast("status", from);
    await rig.idle();
  }
  expect(transport.received).toEqual(log.lines.slice(1));
});
