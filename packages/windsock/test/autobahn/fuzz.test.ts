import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nothingWrong, useEchoServers } from "./conversation.ts";
import { close, frame } from "./raw-client.ts";

// ---------- bytes ----------

const characters = fc
  .string({ unit: "binary", maxLength: 12 })
  .map((each) => Buffer.from(each, "utf8"));

const sized = (...lengths: number[]): fc.Arbitrary<Uint8Array> =>
  fc.constantFrom(...lengths).map((length) => Buffer.alloc(length, 0x61));

const payload: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 10, arbitrary: fc.uint8Array({ maxLength: 12 }) },
  { weight: 10, arbitrary: characters },
  { weight: 1, arbitrary: sized(0, 1, 125, 126, 127, 65_535, 65_536, 65_537) },
);

const control = fc.tuple(fc.constantFrom(0x89, 0x8a), fc.uint8Array({ maxLength: 8 }));

const closing = fc
  .tuple(fc.constantFrom(1000, 1001, 1007, 1014, 3000, 4999), characters)
  .map(([code, reason]) => close(code, reason));

/** A message in fragments, and control frames between them: all as it should be. */
const messageOf = (opcode: number, bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Buffer[]> => {
  const part = fc.oneof(
    { weight: 10, arbitrary: bytes },
    { weight: 1, arbitrary: sized(0, 1, 125, 126, 127, 10_000) },
  );
  const controls = fc.array(control, { maxLength: 2 });
  return fc.array(fc.tuple(part, controls), { minLength: 1, maxLength: 4 }).map((fragments) =>
    fragments.flatMap(([body, between], at) => {
      const isLast = at === fragments.length - 1;
      const head = (isLast ? 0x80 : 0) | (at === 0 ? opcode : 0);
      return [frame(head, body), ...between.map(([kind, each]) => frame(kind, each))];
    }),
  );
};

const message = fc.oneof(
  messageOf(0x01, characters),
  messageOf(0x02, fc.uint8Array({ maxLength: 12 })),
);

const conversation = fc
  .tuple(fc.array(message, { minLength: 1, maxLength: 4 }), fc.option(closing, { nil: undefined }))
  .map(([messages, end]) => [...messages.flat(), ...(end === undefined ? [] : [end])]);

// ---------- what goes wrong on the way ----------

/** Places are shares of the whole, so that they still are in it when it shrinks. */
const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

type Mutation =
  | { readonly type: "flip"; readonly at: number; readonly bit: number }
  | { readonly type: "set"; readonly at: number; readonly byte: number }
  | { readonly type: "insert"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly type: "remove"; readonly at: number; readonly count: number }
  | { readonly type: "repeat"; readonly frame: number }
  | { readonly type: "move"; readonly frame: number }
  | { readonly type: "cut"; readonly at: number };

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ type: fc.constant("flip" as const), at: place, bit: fc.nat({ max: 7 }) }),
  fc.record({ type: fc.constant("set" as const), at: place, byte: fc.nat({ max: 255 }) }),
  fc.record({
    type: fc.constant("insert" as const),
    at: place,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }),
  }),
  fc.record({
    type: fc.constant("remove" as const),
    at: place,
    count: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({ type: fc.constant("repeat" as const), frame: place }),
  fc.record({ type: fc.constant("move" as const), frame: place }),
  fc.record({ type: fc.constant("cut" as const), at: place }),
);

function mutated(frames: readonly Buffer[], mutations: readonly Mutation[]): Buffer {
  const list = [...frames];
  for (const one of mutations) {
    if (one.type !== "repeat" && one.type !== "move") continue;
    const at = Math.floor(one.frame * list.length);
    if (one.type === "repeat") list.splice(at, 0, list[at]!);
    else list.push(...list.splice(at, 1));
  }
  let bytes = Buffer.concat(list);
  for (const one of mutations) {
    if (one.type === "repeat" || one.type === "move" || bytes.length === 0) continue;
    const at = Math.floor(one.at * bytes.length);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (one.type) {
      case "flip":
        bytes[at]! ^= 1 << one.bit;
        break;
      case "set":
        bytes[at] = one.byte;
        break;
      case "insert":
        bytes = Buffer.concat([before, one.bytes, after]);
        break;
      case "remove":
        bytes = Buffer.concat([before, after.subarray(one.count)]);
        break;
      case "cut":
        bytes = Buffer.from(before);
        break;
    }
  }
  return bytes;
}

/** The same bytes in the reads that these places make. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = places.map((each) => Math.floor(each * bytes.length)).toSorted((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const places = fc.array(place, { maxLength: 5 });

/** Headers as they come: any opcode, any bits, any way to write a length that need not be right. */
const strangeFrame = fc
  .record({
    head: fc.oneof(
      fc.constantFrom(0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a),
      fc.nat({ max: 255 }),
    ),
    payload,
    isMasked: fc.nat({ max: 9 }).map((roll) => roll > 0),
    lengthBits: fc.constantFrom(16 as const, 64 as const, undefined),
    length: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { freq: 10, nil: undefined }),
  })
  .map(({ head, payload: body, isMasked, lengthBits, length }) => {
    const fits = lengthBits !== 16 || body.length < 0x10000;
    return frame(head, body, {
      ...(isMasked ? {} : { mask: undefined }),
      ...(length !== undefined
        ? { length }
        : lengthBits !== undefined && fits
          ? { lengthBits }
          : {}),
    });
  });

// ---------- properties ----------

const numRuns = 250;

// Both servers run in this process: an exception that nobody catches fails the run.
describe("fuzzed input: a Windsock service does what `ws` does, and nobody else notices", () => {
  const pair = useEchoServers();

  /** How Windsock took it, and how it should: as `ws`, in whole frames, and with no word to bystanders. */
  async function reaction(bytes: Buffer, ends: readonly number[]) {
    const [{ ws, windsock }, surprises] = await Promise.all([
      pair.reactions(cutAt(bytes, ends)),
      pair.surprises(),
    ]);
    return { got: { ...windsock, surprises }, due: { ...ws, other: [], surprises: [] } };
  }

  test("random bytes", async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(bytes, places, async (some, ends) => {
        const { got, due } = await reaction(Buffer.from(some), ends);
        expect(got).toEqual(due);
      }),
      { numRuns },
    );
  });

  test("random frames", async () => {
    const frames = fc.array(strangeFrame, { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(frames, places, async (some, ends) => {
        const { got, due } = await reaction(Buffer.concat(some), ends);
        expect(got).toEqual(due);
      }),
      { numRuns },
    );
  });

  test("messages, pings and closes as they should be", async () => {
    await fc.assert(
      fc.asyncProperty(conversation, places, async (frames, ends) => {
        const { got, due } = await reaction(Buffer.concat(frames), ends);
        expect(got).toEqual(due);
      }),
      { numRuns },
    );
  });

  test("messages, pings and closes with something gone wrong on the way", async () => {
    const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(conversation, mutations, places, async (frames, wrong, ends) => {
        const { got, due } = await reaction(mutated(frames, wrong), ends);
        expect(got).toEqual(due);
      }),
      { numRuns: 2 * numRuns },
    );
  });

  test("nobody is left behind", async () => {
    expect(await pair.aftermath()).toEqual(nothingWrong);
  });
});
