import fc from "fast-check";
import { expect, test } from "vitest";
import { Mailbox } from "./mailbox.ts";

interface Item {
  readonly id: number;
  readonly bytes: number;
}

const item = (id: number, bytes = 0): Item => ({ id, bytes });

test("takes messages up to its limit, and refuses the next one", () => {
  const mailbox = new Mailbox<Item>({ maxMailboxMessages: 3, maxMailboxBytes: 100 });
  expect([1, 2, 3, 4].map((id) => mailbox.offer(item(id)))).toEqual([true, true, true, false]);
  expect(mailbox.size).toBe(3);
  expect(mailbox.isFull).toBe(true);
});

test("is full by bytes as well: one message may go over the limit, none may follow it", () => {
  const mailbox = new Mailbox<Item>({ maxMailboxMessages: 100, maxMailboxBytes: 10 });
  expect(mailbox.offer(item(1, 9))).toBe(true);
  expect(mailbox.isFull).toBe(false);
  expect(mailbox.offer(item(2, 50))).toBe(true);
  expect(mailbox.isFull).toBe(true);
  expect(mailbox.offer(item(3, 0))).toBe(false);
});

test("has room again at half its limits, not before", () => {
  const mailbox = new Mailbox<Item>({ maxMailboxMessages: 4, maxMailboxBytes: 8 });
  for (const id of [1, 2, 3, 4]) mailbox.force(item(id, 2));
  expect(mailbox.hasRoom).toBe(false);
  mailbox.shift();
  expect(mailbox.hasRoom).toBe(false);
  mailbox.shift();
  expect(mailbox.hasRoom).toBe(true);
});

test("a forced item enters a full mailbox, in order", () => {
  const mailbox = new Mailbox<Item>({ maxMailboxMessages: 1, maxMailboxBytes: 1 });
  mailbox.offer(item(1));
  mailbox.force(item(2));
  expect(mailbox.drain().map(({ id }) => id)).toEqual([1, 2]);
});

test("behaves as a plain bounded array, whatever comes in which order", () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant("offer" as const), bytes: fc.nat(20) }),
    fc.record({ type: fc.constant("force" as const), bytes: fc.nat(20) }),
    fc.record({ type: fc.constant("shift" as const), times: fc.integer({ min: 1, max: 1500 }) }),
    fc.record({ type: fc.constant("burst" as const), times: fc.integer({ min: 1, max: 3000 }) }),
    fc.record({ type: fc.constant("drain" as const) }),
  );
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 1, max: 200 }),
      (steps, maxMailboxMessages, maxMailboxBytes) => {
        const mailbox = new Mailbox<Item>({ maxMailboxMessages, maxMailboxBytes });
        let model: Item[] = [];
        let id = 0;
        const bytes = () => model.reduce((sum, one) => sum + one.bytes, 0);
        const force = (next: Item): void => {
          mailbox.force(next);
          model.push(next);
        };
        // What the mailbox answers to a step, and what the array does.
        const take = (one: (typeof steps)[number]): [unknown, unknown] => {
          switch (one.type) {
            case "offer": {
              const fits = model.length < maxMailboxMessages && bytes() < maxMailboxBytes;
              const next = item(id++, one.bytes);
              if (fits) model.push(next);
              return [mailbox.offer(next), fits];
            }
            case "force":
              force(item(id++, one.bytes));
              return [0, 0];
            case "burst":
              for (let count = 0; count < one.times; count++) force(item(id++));
              return [0, 0];
            case "shift": {
              const times = Array.from({ length: one.times });
              return [times.map(() => mailbox.shift()), times.map(() => model.shift())];
            }
            case "drain": {
              const all = model;
              model = [];
              return [mailbox.drain(), all];
            }
          }
        };
        for (const one of steps) {
          const [answer, expected] = take(one);
          expect(answer).toEqual(expected);
          expect(mailbox.size).toBe(model.length);
          expect(mailbox.bytes).toBe(bytes());
        }
      },
    ),
    { numRuns: 50 },
  );
});
