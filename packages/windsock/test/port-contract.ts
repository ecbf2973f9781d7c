import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  defineService,
  noreply,
  reply,
  type,
  type Client,
  type CloseReason,
  type Service,
} from "../src/index.ts";
import { NumberedClient } from "./numbered-client.ts";
import { checkOrder } from "./order-property.ts";
import { PortRig, type LinkFactory, type RigOptions } from "./port-rig.ts";

/** What holds over every link between an edge and its actors, however slow it is and however often it repeats. */
export function portContract(name: string, link: LinkFactory): void {
  let rig: PortRig | undefined;
  const start = (
    services: Service | Readonly<Record<string, Service>>,
    options: RigOptions = {},
  ): PortRig => {
    const started = new PortRig(byName(services), { link, ...options });
    rig = started;
    return started;
  };

  describe(`the port over ${name}`, () => {
    afterEach(() => rig?.end());

    test("every client gets exactly what was committed for it, in that order", async () => {
      await expect(checkOrder(link, 60)).resolves.toBeUndefined();
    }, 120_000);

    test("a client gets what its join sends, then what is published after it", async () => {
      const { host, open, idle } = bound(
        start(defineService({ handleJoin: (client) => client.send("hello") })),
      );
      const first = await open();
      await idle();
      host.broadcast("status", "one");
      await idle();
      const second = await open();
      await idle();
      host.broadcast("status", "two");
      await idle();
      expect(first.transport.received).toEqual(["hello", "one", "two"]);
      expect(second.transport.received).toEqual(["hello", "two"]);
    });

    test("what is sent to one client keeps its place between what is published", async () => {
      const service = defineService({
        handleIncoming(client, message, _state, status) {
          status.publish("a");
          client.send(`to you: ${String(message)}`);
          status.publish("b");
          status.publish("c");
          client.send("and you");
        },
      });
      const { open, idle } = bound(start(service));
      const [one, other] = [await open(), await open()];
      await idle();
      one.transport.send("x");
      await idle();
      expect(one.transport.received).toEqual(["a", "to you: x", "b", "c", "and you"]);
      expect(other.transport.received).toEqual(["a", "b", "c"]);
    });

    test("a topic brings its backlog, then what comes, until it is unsubscribed", async () => {
      const service = defineService({
        handleIncoming(client, message, _state, status) {
          if (message === "from 0") client.subscribe("news", { from: 0 });
          else if (message === "live") client.subscribe("news");
          else if (message === "stop") client.unsubscribe("news");
          else status.publish("news", message);
        },
      });
      const { open, idle } = bound(start(service));
      const [writer, late, live] = [await open(), await open(), await open()];
      const say = async (from: typeof writer, what: string): Promise<void> => {
        from.transport.send(what);
        await idle();
      };
      await say(writer, "1");
      await say(writer, "2");
      await say(late, "from 0");
      await say(live, "live");
      await say(writer, "3");
      await say(late, "stop");
      await say(writer, "4");
      expect(late.transport.received).toEqual(["1", "2", "3"]);
      expect(live.transport.received).toEqual(["3", "4"]);
      expect(writer.transport.received).toEqual([]);
    });

    test("a log of the app's is read from its offset to its end, and on as it grows", async () => {
      const lines = ["l0", "l1", "l2", "l3", "l4"];
      const service = defineService({
        init: (status) =>
          status.log("log", {
            head: () => lines.length,
            read: (from) => ({
              messages: lines.slice(from, from + 2),
              next: Math.min(lines.length, from + 2),
            }),
          }),
        handleJoin: (client) => client.subscribe("log", { from: 1 }),
        handleInfo(_info, _state, status) {
          lines.push("l5");
          status.advance("log");
        },
      });
      const { host, open, idle } = bound(start(service));
      const client = await open();
      await idle();
      expect(client.transport.received).toEqual(["l1", "l2", "l3", "l4"]);
      host.info("status", "grow");
      await idle();
      expect(client.transport.received).toEqual(["l1", "l2", "l3", "l4", "l5"]);
    });

    test("a client that is closed gets what was sent before, and handleClose runs once", async () => {
      const reasons: CloseReason[] = [];
      const service = defineService({
        handleIncoming(client) {
          client.send("bye");
          client.close(4001, "enough");
          client.send("never");
        },
        handleClose: (_client, reason) => void reasons.push(reason),
      });
      const { open, idle } = bound(start(service));
      const client = await open();
      await idle();
      client.transport.send("x");
      await idle();
      expect(client.transport.received).toEqual(["bye"]);
      expect(client.transport.closed).toEqual({ code: 4001, reason: "enough" });
      expect(reasons).toEqual([{ type: "closed", code: 4001, reason: "enough" }]);
    });

    test("a client that goes away leaves once, with its reason", async () => {
      const seen: string[] = [];
      const service = defineService({
        handleJoin: (client) => void seen.push(`join ${client.id}`),
        handleClose: (client, reason) => void seen.push(`${reason.type} ${client.id}`),
      });
      const { edge, host, open, idle } = bound(start(service));
      const [one, two] = [await open(), await open()];
      await idle();
      one.transport.leave();
      two.transport.leave(1000, "done");
      await idle();
      expect(seen).toEqual(["join m0", "join m1", "lost m0", "closed m1"]);
      expect(edge.memberCount).toBe(0);
      expect(host.clients("status")).toEqual([]);
    });

    test("a full mailbox holds clients back, and everything is handled once and in order", async () => {
      const handled: string[] = [];
      let go: () => void = () => {};
      const gate = new Promise<void>((resolve) => (go = resolve));
      const service = defineService({
        limits: { maxMailboxMessages: 4 },
        async handleIncoming(client, message) {
          await gate;
          handled.push(`${client.id} ${String(message)}`);
        },
      });
      const { open, idle } = bound(start(service));
      const [one, two] = [await open(), await open()];
      await idle();
      for (let index = 0; index < 40; index++) {
        one.transport.send(String(index));
        two.transport.send(String(index));
        if (index % 5 === 0) await idle();
      }
      await idle();
      expect([one.transport.isPaused, two.transport.isPaused]).toEqual([true, true]);
      go();
      await idle();
      const all = Array.from({ length: 40 }, (_, index) => String(index));
      for (const { mid } of [one, two])
        expect(handled.filter((each) => each.startsWith(`${mid} `))).toEqual(
          all.map((each) => `${mid} ${each}`),
        );
      expect([one.transport.isPaused, two.transport.isPaused]).toEqual([false, false]);
    });

    test("a publish from outside is answered after its commit, and a repeat of its key publishes nothing", async () => {
      const { edge, open, idle } = bound(start(defineService({})));
      const client = await open();
      await idle();
      const value = { kind: "json", bytes: Buffer.from('{"a":1}') } as const;
      const asked = [
        edge.publish("status", value, "key"),
        edge.publish("status", value, "key"),
        edge.publish("status", value, undefined),
        edge.publish("nobody", value, undefined),
      ];
      await idle();
      expect(await Promise.all(asked)).toMatchObject([
        { type: "published", seq: 1, delivered: true },
        { type: "published", seq: 1, delivered: true },
        { type: "published", seq: 2, delivered: true },
        { type: "unavailable" },
      ]);
      expect(client.transport.received).toEqual(['{"a":1}', '{"a":1}']);
    });

    test("a join that cannot be taken is refused with a status, and leaves nothing behind", async () => {
      const service = defineService({
        limits: { maxMailboxMessages: 1 },
        handleInfo: () => new Promise<void>(() => {}),
      });
      const { edge, host, idle, join } = bound(start(service));
      await idle();
      host.info("status", "block");
      await idle();
      host.info("status", "fill");
      const asked = [join("a", "status"), join("b", "nobody")];
      await idle();
      expect(await Promise.all(asked)).toMatchObject([
        { type: "refused", status: 503, retryAfterMs: 1000 },
        { type: "refused", status: 404 },
      ]);
      expect(edge.memberCount).toBe(0);
    });

    test("a client of windsock.v1 that is cut wherever it is has the whole order once, and each message is handled once", async () => {
      const handled: unknown[] = [];
      const service = defineService({
        calls: { double: { request: z.number(), response: type<number>() } },
        handleIncoming(client, message, _state, status) {
          handled.push(message);
          status.publish(`published ${message as number}`);
          client.send(`private ${message as number}`);
        },
        handleCall: { double: (_client, request) => reply(2 * request) },
      });
      const { host, openSession, idle } = bound(start(service));
      const client = new NumberedClient();
      for (let round = 1; round <= 12; round++) {
        client.join(openSession());
        if (round % 3 !== 0) await idle();
        for (let count = 0; count < round; count++) client.say();
        host.broadcast("status", `broadcast ${round}`);
        // Cut with everything on its way, or with nothing.
        if (round % 2 === 0) await idle();
        client.cut();
      }
      client.join(openSession());
      await idle();
      client.say();
      await idle();
      client.cut();
      const numbers = Array.from({ length: client.said }, (_, index) => index + 1);
      expect(handled).toEqual(numbers.filter((n) => n % 5 !== 0));
      expect(client.done).toBe(client.said);
      expect(client.repliedTo.toSorted((a, b) => a - b)).toEqual(
        numbers.filter((n) => n % 5 === 0),
      );
      expect(client.privates).toEqual(handled.map((n) => `private ${n as number}`));
      expect(client.published.filter((text) => text.startsWith("published"))).toEqual(
        handled.map((n) => `published ${n as number}`),
      );
      expect(client.published.filter((text) => text.startsWith("broadcast"))).toEqual(
        Array.from({ length: 12 }, (_, index) => `broadcast ${index + 1}`),
      );
    });

    test("a crash keeps sockets and their places in the log", async () => {
      const service = defineService({
        init: (): Client[] => [],
        handleJoin(client, clients) {
          client.send(client.joinReason);
          client.subscribe("news", { from: 0 });
          return [...clients, client];
        },
        handleIncoming(_client, message, clients, status) {
          if (message === "crash") throw new Error("as asked");
          status.publish("news", `${String(message)} to ${clients.length}`);
          return noreply(clients);
        },
      });
      const { open, idle } = bound(start(service));
      const client = await open();
      await idle();
      for (const what of ["one", "crash", "two"]) client.transport.send(what);
      await idle();
      expect(client.transport.received).toEqual(["new", "one to 1", "restart", "two to 1"]);
    });
  });
}

/** One service is called `status`. */
function byName(
  services: Service | Readonly<Record<string, Service>>,
): Readonly<Record<string, Service>> {
  return "kind" in services && services.kind === "service"
    ? { status: services as Service }
    : (services as Readonly<Record<string, Service>>);
}

function bound(rig: PortRig): {
  edge: PortRig["edge"];
  host: PortRig["host"];
  open: PortRig["open"];
  openSession: PortRig["openSession"];
  idle: PortRig["idle"];
  join: PortRig["join"];
} {
  return {
    edge: rig.edge,
    host: rig.host,
    open: rig.open.bind(rig),
    openSession: rig.openSession.bind(rig),
    join: rig.join.bind(rig),
    idle: rig.idle,
  };
}
