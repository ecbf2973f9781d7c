import fc from "fast-check";
import { defineService, type Client } from "../src/index.ts";
import { PortRig, type LinkFactory, type RigClient } from "./port-rig.ts";

type Effect =
  | { readonly type: "publish"; readonly topic: string; readonly size: number }
  | { readonly type: "send"; readonly to: number; readonly size: number }
  | { readonly type: "sendAll"; readonly size: number }
  | {
      readonly type: "subscribe";
      readonly to: number;
      readonly topic: string;
      readonly from: number | undefined;
    }
  | { readonly type: "unsubscribe"; readonly to: number; readonly topic: string }
  | { readonly type: "close"; readonly to: number };

type Step =
  | { readonly type: "turn"; readonly effects: readonly Effect[] }
  | { readonly type: "join" }
  | { readonly type: "leave"; readonly who: number }
  | { readonly type: "stopReading"; readonly who: number }
  | { readonly type: "take"; readonly who: number; readonly bytes: number }
  | { readonly type: "read"; readonly who: number }
  | { readonly type: "wait" };

const who = fc.nat({ max: 4 });
const topic = fc.constantFrom("", "a", "b");
const size = fc.oneof(
  { weight: 8, arbitrary: fc.nat({ max: 200 }) },
  { weight: 1, arbitrary: fc.constantFrom(20_000, 70_000, 300_000) },
);

const effect: fc.Arbitrary<Effect> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ type: fc.constant("publish"), topic, size }) },
  { weight: 20, arbitrary: fc.record({ type: fc.constant("send"), to: who, size }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("sendAll"), size }) },
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant("subscribe"),
      to: who,
      topic,
      from: fc.option(fc.nat({ max: 40 }), { nil: undefined }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("unsubscribe"), to: who, topic }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("close"), to: who }) },
) as fc.Arbitrary<Effect>;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      type: fc.constant("turn"),
      effects: fc.array(effect, { minLength: 1, maxLength: 12 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("join") }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("leave"), who }) },
  { weight: 10, arbitrary: fc.record({ type: fc.constant("stopReading"), who }) },
  {
    weight: 10,
    arbitrary: fc.record({ type: fc.constant("take"), who, bytes: fc.nat({ max: 200_000 }) }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("read"), who }) },
  { weight: 15, arbitrary: fc.record({ type: fc.constant("wait") }) },
) as fc.Arbitrary<Step>;

/** What one client should have got, by the rules alone. */
class Expected {
  readonly messages: string[] = [];
  readonly topics: Set<string> = new Set([""]);
  isOwnLogAsked = false;
  isClosed = false;
}

/** The rules that edge and port must not change: one order, topics as filters on it. */
class Model {
  readonly log: { readonly topic: string; readonly text: string }[] = [];
  readonly clients: Map<string, Expected> = new Map();

  publish(name: string, text: string): void {
    this.log.push({ topic: name, text });
    for (const client of this.clients.values())
      if (!client.isClosed && client.topics.has(name)) client.messages.push(text);
  }

  send(id: string, text: string): void {
    const client = this.clients.get(id);
    if (client?.isClosed === false) client.messages.push(text);
  }

  subscribe(id: string, name: string, from: number | undefined): void {
    const client = this.clients.get(id);
    if (client === undefined || client.isClosed) return;
    if (client.topics.has(name) && (name !== "" || client.isOwnLogAsked)) return;
    if (from !== undefined) {
      for (const entry of this.log.slice(Math.max(0, from - 1)))
        if (entry.topic === name) client.messages.push(entry.text);
    }
    client.topics.add(name);
    if (name === "") client.isOwnLogAsked = true;
  }

  unsubscribe(id: string, name: string): void {
    const client = this.clients.get(id);
    client?.topics.delete(name);
    if (client !== undefined && name === "") client.isOwnLogAsked = false;
  }
}

function serviceOf(model: Model) {
  const joined: Client[] = [];
  let count = 0;
  const text = (length: number): string => `${count++}:${"x".repeat(length)}`;
  return defineService({
    limits: { maxMailboxMessages: 100_000, maxMailboxBytes: 1e9 },
    history: { messages: 100_000, bytes: 1e9 },
    handleJoin(client) {
      joined.push(client);
      model.clients.set(client.id, new Expected());
    },
    handleBroadcast(message: string, _state, service) {
      for (const one of JSON.parse(message) as Effect[]) {
        const client = "to" in one ? joined[one.to] : undefined;
        if ("to" in one && client === undefined) continue;
        switch (one.type) {
          case "publish": {
            const body = text(one.size);
            if (one.topic === "") service.publish(body);
            else service.publish(one.topic, body);
            model.publish(one.topic, body);
            break;
          }
          case "send": {
            const body = text(one.size);
            client!.send(body);
            model.send(client!.id, body);
            break;
          }
          case "sendAll": {
            const body = text(one.size);
            service.sendAll(joined, body);
            for (const each of joined) model.send(each.id, body);
            break;
          }
          case "subscribe":
            client!.subscribe(one.topic, one.from === undefined ? {} : { from: one.from });
            model.subscribe(client!.id, one.topic, one.from);
            break;
          case "unsubscribe":
            client!.unsubscribe(one.topic);
            model.unsubscribe(client!.id, one.topic);
            break;
          case "close": {
            client!.close(4000, "asked");
            const expected = model.clients.get(client!.id);
            if (expected !== undefined) expected.isClosed = true;
            break;
          }
        }
      }
    },
  });
}

/** Whatever happens in whatever order, and however slowly sockets take it: each client gets what was committed for it, in that order. */
export async function checkOrder(link: LinkFactory, numRuns: number): Promise<void> {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) =>
    run(link, steps),
  );
  await fc.assert(property, { numRuns });
}

async function run(link: LinkFactory, steps: readonly Step[]): Promise<void> {
  const model = new Model();
  const rig = new PortRig(
    { status: serviceOf(model) },
    { link, limits: { maxSendQueueBytes: 1e9 } },
  );
  const clients: RigClient[] = [];
  const left = new Set<string>();
  const join = async (): Promise<void> => {
    const opening = rig.open();
    await rig.idle();
    clients.push(await opening);
  };
  for (let count = 0; count < 2; count++) await join();
  for (const one of steps) {
    const client = "who" in one ? clients[one.who] : undefined;
    switch (one.type) {
      case "turn":
        rig.host.broadcast("status", JSON.stringify(one.effects));
        break;
      case "join":
        if (clients.length < 5) await join();
        break;
      case "leave":
        if (client !== undefined && !client.transport.isDestroyed) {
          left.add(client.mid);
          client.transport.leave();
        }
        break;
      case "stopReading":
        if (client !== undefined) client.transport.isReading = false;
        break;
      case "take":
        client?.transport.take(one.bytes);
        break;
      case "read":
        client?.transport.read();
        break;
      case "wait":
        await new Promise((resolve) => setImmediate(resolve));
        break;
    }
  }
  await rig.idle();
  for (const { transport } of clients) transport.read();
  await rig.idle();
  const brief = (messages: readonly unknown[]): string[] =>
    messages.map((each) => String(each).slice(0, 12));
  for (const { mid, transport } of clients) {
    const expected = brief(model.clients.get(mid)?.messages ?? []);
    const got = brief(transport.received);
    // Who went away has a beginning of it.
    const due = left.has(mid) ? expected.slice(0, got.length) : expected;
    if (JSON.stringify(got) !== JSON.stringify(due))
      throw new Error(`${mid} expected ${JSON.stringify(due)}, got ${JSON.stringify(got)}`);
  }
  await rig.end();
}
