import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientFrame } from "../../test/raw-socket.ts";
import { inflate } from "./deflate.ts";
import { FrameDecoder, type DecoderLimits } from "./frame-decoder.ts";

// Each answer to each kind of frame is in test/autobahn, over sockets and beside `ws`.

const limits: DecoderLimits = { maxPayloadBytes: 1000, maxFragments: 16 };

type Found =
  | { readonly type: "text" | "binary" | "ping"; readonly hex: string }
  | { readonly type: "close"; readonly code: number; readonly hex: string }
  | { readonly type: "fault"; readonly code: number };

/** What a decoder finds in these reads. */
function decode(reads: readonly Uint8Array[], bounds: DecoderLimits = limits): Found[] {
  const found: Found[] = [];
  const decoder = new FrameDecoder(
    {
      handleMessage: (data, isBinary) =>
        void found.push({ type: isBinary ? "binary" : "text", hex: data.toString("hex") }),
      handlePing: (payload) => void found.push({ type: "ping", hex: payload.toString("hex") }),
      handleClose: (code, reason) =>
        void found.push({ type: "close", code, hex: reason.toString("hex") }),
      handleFault: (code) => void found.push({ type: "fault", code }),
    },
    bounds,
  );
  // The decoder unmasks in place: what a test holds must stay as it is.
  for (const read of reads) decoder.push(Buffer.from(read));
  return found;
}

/** The same bytes in the reads that these places make. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = places.map((each) => Math.floor(each * bytes.length)).toSorted((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

// ---------- what may come ----------

interface Part {
  readonly bytes: Uint8Array;
  readonly gives: Found | undefined;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const mask = fc.uint8Array({ minLength: 4, maxLength: 4 });

function masked(head: number, payload: Uint8Array, key: Uint8Array): Buffer {
  const frame = clientFrame(head, payload, false);
  frame[1]! |= 0x80;
  const body = payload.map((byte, index) => byte ^ key[index & 3]!);
  return Buffer.concat([frame.subarray(0, frame.length - payload.length), key, body]);
}

const control = fc.record({
  opcode: fc.constantFrom(0x9, 0xa),
  payload: fc.uint8Array({ maxLength: 125 }),
  key: mask,
});

const message = fc
  .record({
    isBinary: fc.boolean(),
    fragments: fc.array(
      fc.record({
        text: fc.string({ unit: "binary", maxLength: 20 }),
        key: mask,
        before: fc.array(control, { maxLength: 2 }),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  })
  .map(({ isBinary, fragments }): Part[] => {
    const parts: Part[] = [];
    const payloads = fragments.map(({ text }) => Buffer.from(text));
    for (const [index, { key, before }] of fragments.entries()) {
      for (const { opcode, payload, key: other } of before)
        parts.push({
          bytes: masked(0x80 | opcode, payload, other),
          gives: opcode === 9 ? { type: "ping", hex: hex(payload) } : undefined,
        });
      const isLast = index === fragments.length - 1;
      const head = (isLast ? 0x80 : 0) | (index > 0 ? 0 : isBinary ? 2 : 1);
      parts.push({
        bytes: masked(head, payloads[index]!, key),
        gives: isLast
          ? { type: isBinary ? "binary" : "text", hex: hex(Buffer.concat(payloads)) }
          : undefined,
      });
    }
    return parts;
  });

const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
  maxLength: 40,
});

describe("any sequence of frames that may come", () => {
  test("gives its messages, wherever reads end", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), places, (messages, ends) => {
        const parts = messages.flat();
        const bytes = Buffer.concat(parts.map((part) => part.bytes));
        expect(decode(cutAt(bytes, ends))).toEqual(parts.flatMap(({ gives }) => gives ?? []));
      }),
    );
  });

  test("gives its messages byte by byte, as it does in one read", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 3 }), (messages) => {
        const bytes = Buffer.concat(messages.flat().map((part) => part.bytes));
        expect(decode(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(decode([bytes]));
      }),
    );
  });

  test("may have any length up to the limit, in any alignment", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 70_000 }),
        fc.nat({ max: 9 }),
        mask,
        places,
        (size, at, key, ends) => {
          const payload = Buffer.from(Array.from({ length: size }, (_, index) => index % 251));
          const before = masked(0x82, payload.subarray(0, at), key);
          const bytes = Buffer.concat([before, masked(0x82, payload, key)]);
          expect(decode(cutAt(bytes, ends), { maxPayloadBytes: 70_000, maxFragments: 16 })).toEqual(
            [
              { type: "binary", hex: hex(payload.subarray(0, at)) },
              { type: "binary", hex: hex(payload) },
            ],
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("any bytes at all", () => {
  const compressing: DecoderLimits = { ...limits, inflation: { maxBytes: 1000, inflate } };
  /** Payloads as they come, said to be compressed. */
  const deflated = fc
    .tuple(fc.constantFrom(0xc1, 0xc2, 0x41), fc.uint8Array({ maxLength: 40 }), mask)
    .map(([head, payload, key]): Part[] => [
      { bytes: masked(head, payload, key), gives: undefined },
      { bytes: masked(0x80, payload, key), gives: undefined },
    ]);
  const mutated = fc
    .tuple(
      fc.array(fc.oneof(message, deflated), { minLength: 1, maxLength: 3 }),
      fc.array(
        fc.tuple(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), fc.nat(255)),
        {
          maxLength: 4,
        },
      ),
    )
    .map(([messages, changes]) => {
      const bytes = Buffer.concat(messages.flat().map((part) => part.bytes));
      for (const [at, byte] of changes) bytes[Math.floor(at * bytes.length)] = byte;
      return bytes;
    });
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    mutated,
  );

  test("throw nothing, end with at most one close or fault, and mean the same wherever reads end", () => {
    fc.assert(
      fc.property(anything, places, fc.constantFrom(limits, compressing), (bytes, ends, bounds) => {
        const found = decode([bytes], bounds);
        expect(decode(cutAt(bytes, ends), bounds)).toEqual(found);
        const last = found.findIndex(({ type }) => type === "close" || type === "fault");
        expect([-1, found.length - 1]).toContain(last);
      }),
      { numRuns: 2000 },
    );
  });

  // A slab of the pool, and the memory of other connections with it, lies around every read.
  test("leave what lies around a read as it was, and tell nothing of it", () => {
    fc.assert(
      fc.property(anything, fc.nat(255), (bytes, around) => {
        const slab = Buffer.alloc(bytes.length + 64, around);
        bytes.copy(slab, 32);
        let told = 0;
        const tell = (payload: Buffer): void => void (told += payload.length);
        const decoder = new FrameDecoder(
          {
            handleMessage: tell,
            handlePing: tell,
            handleClose: (_code, reason) => tell(reason),
            handleFault: () => {},
          },
          limits,
        );
        decoder.push(slab.subarray(32, 32 + bytes.length));
        expect(told).toBeLessThanOrEqual(bytes.length);
        for (const side of [slab.subarray(0, 32), slab.subarray(32 + bytes.length)])
          expect(side.every((byte) => byte === around)).toBe(true);
      }),
    );
  });
});

describe("what is kept", () => {
  test("a small message of a large read does not keep the read", () => {
    const got: Buffer[] = [];
    const decoder = new FrameDecoder(
      {
        handleMessage: (data) => void got.push(data),
        handlePing: () => {},
        handleClose: () => {},
        handleFault: () => {},
      },
      { maxPayloadBytes: 65_536, maxFragments: 16 },
    );
    const small = clientFrame(0x82, "small");
    const filler = clientFrame(0x8a, "x".repeat(125));
    const read = Buffer.concat([small, ...Array<Buffer>(400).fill(filler)]);
    const alone = Buffer.from(new Uint8Array(read).buffer);
    decoder.push(alone);
    expect(got.map(String)).toEqual(["small"]);
    expect(got[0]!.buffer).not.toBe(alone.buffer);
  });

  test("a message that was announced as large takes memory as it comes, and twice that at most", () => {
    const got: Buffer[] = [];
    const decoder = new FrameDecoder(
      {
        handleMessage: (data) => void got.push(data),
        handlePing: () => {},
        handleClose: () => {},
        handleFault: () => {},
      },
      { maxPayloadBytes: 2 ** 30, maxFragments: 16 },
    );
    const before = process.memoryUsage().arrayBuffers;
    const header = Buffer.from("82ff0000000040000000" + "00000000", "hex");
    decoder.push(header);
    decoder.push(Buffer.alloc(100_000));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(500_000);
    expect(got).toEqual([]);
  });
});
