import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byteLengthOf,
  decodeClientEnvelope,
  decodeServerElements,
  decodeServerEnvelope,
  encodeClientEnvelope,
  encodeServerEnvelope,
  EnvelopeError,
  readServerElements,
  wrapBytes,
  wrapText,
  type ClientEnvelope,
  type ServerEnvelope,
  type WireMessage,
} from "../../src/protocol/v1/index.ts";
import { serverShapes } from "../../src/protocol/v1/shapes.ts";
import { fromHex, messageOf, vectors } from "./vectors.ts";

/** What a client that checks nothing makes of a message, by name. */
const readNamed = (message: WireMessage): unknown => {
  const [type, ...values] = readServerElements(message);
  return Object.hasOwn(serverShapes, type)
    ? Object.fromEntries([
        ["type", type],
        ...serverShapes[type].map((name, index) => [name, values[index]]),
      ])
    : undefined;
};

const decodeFor = { client: decodeServerEnvelope, server: decodeClientEnvelope };
const decodersFrom = {
  client: [decodeClientEnvelope],
  server: [decodeServerEnvelope, readNamed],
};

describe("the vectors", () => {
  for (const vector of vectors.envelopes) {
    const envelope = {
      ...vector.envelope,
      ...(vector.payloadHex === undefined ? {} : { payload: fromHex(vector.payloadHex) }),
    };
    test(`${vector.from}: ${vector.text ?? vector.hex}`, () => {
      const encoded =
        vector.from === "client"
          ? encodeClientEnvelope(envelope as unknown as ClientEnvelope)
          : encodeServerEnvelope(envelope as unknown as ServerEnvelope);
      expect(encoded).toEqual(messageOf(vector));
      for (const decode of decodersFrom[vector.from])
        expect(decode(messageOf(vector))).toEqual(envelope);
    });
  }

  test.each(vectors.ignored)("ignored: $why", (vector) => {
    for (const decode of decodersFrom[vector.to === "client" ? "server" : "client"])
      expect(decode(messageOf(vector))).toBeUndefined();
  });

  test.each(vectors.tolerated)("tolerated: $why", (vector) => {
    expect(decodeFor[vector.to](messageOf(vector))).toEqual({
      ...vector.envelope,
      ...(vector.payloadHex === undefined ? {} : { payload: fromHex(vector.payloadHex) }),
    });
  });

  test.each(vectors.faults)("a fault: $why", (vector) => {
    expect(() => decodeFor[vector.to](messageOf(vector))).toThrow(EnvelopeError);
    expect(() => decodeFor[vector.to](messageOf(vector))).toThrow(/^Expected .+, got .+\.$/s);
  });

  test("a kind for each envelope there is", () => {
    expect(new Set(vectors.envelopes.map(({ envelope }) => envelope["type"])).size).toBe(26);
  });
});

describe("a fault says what was expected and what came", () => {
  test.each([
    [
      '["pub",1,"x",0]',
      'Expected `seq`, element 2 of `pub`, to be an integer from 0 to 2^53 - 1, got "x".',
    ],
    ['["at",1,2]', "Expected `count`, element 3 of `at`, to be present, got nothing."],
    [
      '["closed",1,1000,"",7]',
      "Expected `how`, element 4 of `closed`, to be one of rejoin, retry, end, got 7.",
    ],
    [
      '["presence",1,1,{"join":[{}],"leave":[]}]',
      'Expected `changes`, element 3 of `presence`, to be an object whose `join` is an array of which each element is an object whose `id` is a string, got {"join":[{}],"leave":[]}.',
    ],
  ])("%s", (text, message) => {
    expect(() => decodeServerEnvelope(text)).toThrow(message);
  });

  test("of a binary message too", () => {
    expect(() => decodeServerEnvelope(fromHex("0005"))).toThrow(
      "Expected a binary message to be two bytes of header length, the header and the payload, got 2 bytes that announce a header of 5.",
    );
  });
});

// ---------- properties ----------

const count = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER));
const channel = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
// `-0` is no JSON; `__proto__` and its kind are names like any other.
const json = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const record = fc.dictionary(
  fc.oneof(fc.string(), fc.constantFrom("constructor", "toString", "hasOwnProperty")),
  json,
  { noNullPrototype: true },
);
const payload = fc.oneof(json, fc.uint8Array({ maxLength: 200 }));

const clientEnvelope: fc.Arbitrary<ClientEnvelope> = fc.oneof(
  fc.record(
    {
      type: fc.constant("join" as const),
      channel,
      path: fc.string(),
      options: fc.record(
        {
          auth: json,
          resume: fc.record(
            {
              token: fc.string(),
              epoch: fc.string(),
              seq: count,
              count,
              tails: fc.dictionary(fc.string(), count, { noNullPrototype: true }),
            },
            { requiredKeys: ["token", "epoch", "seq", "count"], noNullPrototype: true },
          ),
        },
        { requiredKeys: [], noNullPrototype: true },
      ),
    },
    { noNullPrototype: true },
  ),
  fc.record(
    { type: fc.constant("send" as const), channel, n: count, payload },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      type: fc.constant("call" as const),
      channel,
      n: count,
      name: fc.string(),
      timeoutMs: count,
      payload,
    },
    { noNullPrototype: true },
  ),
  fc.record({ type: fc.constant("cancel" as const), channel, n: count }, { noNullPrototype: true }),
  fc.record({ type: fc.constant("ack" as const), channel, count }, { noNullPrototype: true }),
  fc.record({ type: fc.constant("auth" as const), channel, payload }, { noNullPrototype: true }),
  fc.record({ type: fc.constant("leave" as const), channel }, { noNullPrototype: true }),
  fc.record({ type: fc.constant("ping" as const), payload }, { noNullPrototype: true }),
);

const plain = { noNullPrototype: true } as const;
const serverEnvelope: fc.Arbitrary<ServerEnvelope> = fc.oneof(
  fc.record(
    {
      type: fc.constant("joined" as const),
      channel,
      info: fc.record(
        {
          answer: fc.constantFrom(
            "new" as const,
            "resumed" as const,
            "snapshot" as const,
            "rejoin" as const,
          ),
          id: fc.string(),
          token: fc.string(),
          epoch: fc.string(),
          log: count,
          seq: count,
          count,
          done: count,
          credit: count,
          maxBytes: count,
          graceMs: count,
          version: fc.string(),
          params: fc.dictionary(fc.string(), fc.string(), plain),
        },
        plain,
      ),
    },
    plain,
  ),
  fc.record(
    { type: fc.constant("log" as const), channel, log: count, topic: fc.string(), seq: count },
    plain,
  ),
  fc.record({ type: fc.constant("unlog" as const), channel, log: count }, plain),
  fc.record({ type: fc.constant("pub" as const), log: count, seq: count, payload }, plain),
  fc.record({ type: fc.constant("msg" as const), channel, payload }, plain),
  fc.record({ type: fc.constant("reply" as const), channel, n: count, payload }, plain),
  fc.record(
    {
      type: fc.constant("error" as const),
      channel,
      n: count,
      code: fc.string(),
      message: fc.string(),
      detail: record,
    },
    plain,
  ),
  fc.record({ type: fc.constant("done" as const), channel, n: count }, plain),
  fc.record({ type: fc.constant("credit" as const), channel, bytes: count }, plain),
  fc.record({ type: fc.constant("snapshot" as const), channel, seq: count, payload }, plain),
  fc.record({ type: fc.constant("at" as const), channel, seq: count, count }, plain),
  fc.record({ type: fc.constant("restarted" as const), log: count, seq: count }, plain),
  fc.record(
    { type: fc.constant("tail" as const), channel, topic: fc.string(), offset: count, payload },
    plain,
  ),
  fc.record(
    {
      type: fc.constant("presence" as const),
      channel,
      seq: count,
      changes: fc.record(
        {
          join: fc.array(fc.record({ id: fc.string() }, plain)),
          leave: fc.array(fc.string()),
          all: fc.boolean(),
        },
        { requiredKeys: ["join", "leave"], noNullPrototype: true },
      ),
    },
    plain,
  ),
  fc.record(
    {
      type: fc.constant("closed" as const),
      channel,
      closeCode: count,
      reason: fc.string(),
      how: fc.constantFrom("rejoin" as const, "retry" as const, "end" as const),
    },
    plain,
  ),
  fc.record({ type: fc.constant("draining" as const), windowMs: count }, plain),
  fc.record({ type: fc.constant("authed" as const), channel }, plain),
  fc.record({ type: fc.constant("pong" as const), payload }, plain),
);

describe("properties", () => {
  test("what a client encodes, a server decodes", () => {
    fc.assert(
      fc.property(clientEnvelope, (envelope) => {
        expect(decodeClientEnvelope(encodeClientEnvelope(envelope))).toEqual(envelope);
      }),
      { numRuns: 500 },
    );
  });

  test("what a server encodes, a client decodes, and one without checks too", () => {
    fc.assert(
      fc.property(serverEnvelope, (envelope) => {
        const message = encodeServerEnvelope(envelope);
        expect(decodeServerEnvelope(message)).toEqual(envelope);
        expect(readNamed(message)).toEqual(envelope);
      }),
      { numRuns: 500 },
    );
  });

  test("a payload that is encoded already gives the same message, as text and as bytes", () => {
    fc.assert(
      fc.property(
        count,
        count,
        json,
        fc.uint8Array({ maxLength: 100 }),
        (log, seq, value, bytes) => {
          const text = wrapText(["pub", log, seq], JSON.stringify(value));
          expect(text).toBe(encodeServerEnvelope({ type: "pub", log, seq, payload: value }));
          expect(byteLengthOf(text)).toBe(Buffer.byteLength(text));
          expect(wrapBytes(["pub", log, seq], bytes)).toEqual(
            encodeServerEnvelope({ type: "pub", log, seq, payload: bytes }),
          );
        },
      ),
    );
  });

  const decoders = [decodeClientEnvelope, decodeServerEnvelope, decodeServerElements];
  /** What decoding threw that is not its own error. */
  const otherErrors = (message: WireMessage): unknown[] =>
    decoders.flatMap((decode) => {
      try {
        decode(message);
      } catch (error) {
        if (!(error instanceof EnvelopeError)) return [error];
      }
      return [];
    });

  test("random messages throw nothing but an EnvelopeError", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.uint8Array({ maxLength: 300 }),
          fc
            .array(
              fc.oneof(
                fc.constantFrom("send", "join", "joined", "pub", "closed", "presence"),
                json,
              ),
            )
            .map((elements) => JSON.stringify(elements)),
        ),
        (message) => {
          expect(otherErrors(message)).toEqual([]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("messages with bytes changed, cut and repeated throw nothing but an EnvelopeError", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          clientEnvelope.map(encodeClientEnvelope),
          serverEnvelope.map(encodeServerEnvelope),
        ),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
        fc.nat(),
        (message, changes, end) => {
          const bytes =
            typeof message === "string" ? new TextEncoder().encode(message) : message.slice();
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          const part = bytes.subarray(0, 1 + (end % (bytes.length * 2)));
          const mutated = typeof message === "string" ? new TextDecoder().decode(part) : part;
          expect(otherErrors(mutated)).toEqual([]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("nesting as deep as a frame allows is no fault of its own", () => {
    const deep = `["send",1,1,${"[".repeat(30_000)}${"]".repeat(30_000)}]`;
    expect(decodeClientEnvelope(deep)).toMatchObject({ type: "send", n: 1 });
    expect(otherErrors(`["send",1,1,${"[".repeat(60_000)}`)).toEqual([]);
  });

  test("no name of a payload reaches a prototype", () => {
    const message = '["error",1,1,"invalid","",{"__proto__":{"polluted":true}}]';
    decodeServerEnvelope(message);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("limits", () => {
  test("a header of 65,535 bytes is the longest", () => {
    const name = (length: number): string => "x".repeat(length - '["call",1,1,"",1]'.length);
    const call = (length: number): ClientEnvelope => ({
      type: "call",
      channel: 1,
      n: 1,
      name: name(length),
      timeoutMs: 1,
      payload: new Uint8Array([7]),
    });
    expect(decodeClientEnvelope(encodeClientEnvelope(call(65_535)))).toEqual(call(65_535));
    expect(() => encodeClientEnvelope(call(65_536))).toThrow(EnvelopeError);
  });
});
