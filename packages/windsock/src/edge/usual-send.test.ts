import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeClientEnvelope, EnvelopeError } from "../protocol/v1/index.ts";
import { readUsualSend } from "./usual-send.ts";

const read = (text: string) => readUsualSend(Buffer.from(text));

test("a send as JSON.stringify gives it is read, and its payload is what stands behind", () => {
  const number = fc.integer({ min: 1, max: 999_999_999_999_999 });
  fc.assert(
    fc.property(number, number, fc.jsonValue(), (channel, n, payload) => {
      const message = Buffer.from(JSON.stringify(["send", channel, n, payload]));
      const head = readUsualSend(message);
      expect(head).toMatchObject({ channel, n });
      expect(message.subarray(head?.end, -1).toString()).toBe(JSON.stringify(payload));
    }),
  );
});

test("any other message is left to those who say what is wrong with it", () => {
  const others = [
    "",
    "[",
    '["send",',
    '["send",1',
    '["send",1,',
    '["send",1,2',
    '["send",1,2,"x"',
    '["send",1,2]',
    '["send",,2,"x"]',
    '["send",0,2,"x"]',
    '["send",01,2,"x"]',
    '["send",1,02,"x"]',
    '["send",-1,2,"x"]',
    '["send",1.5,2,"x"]',
    '["send",1e3,2,"x"]',
    '["send",1,1234567890123456,"x"]',
    '["send", 1,2,"x"]',
    '["call",1,2,"x"]',
    '["sent",1,2,"x"]',
  ];
  for (const other of others) expect([other, read(other)]).toEqual([other, undefined]);
});

test("what is read is what decoding the whole message gives", () => {
  const piece = fc.constantFrom('["send",', "1", "0", "2", ",", '"x"', "]", " ", "[", "send");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      const head = read(text);
      if (head === undefined) return;
      let whole;
      try {
        whole = decodeClientEnvelope(text);
      } catch (error) {
        // A payload that is no JSON is for the service to refuse.
        if (error instanceof EnvelopeError) return;
        throw error;
      }
      expect(whole).toMatchObject({ type: "send", channel: head.channel, n: head.n });
    }),
    { numRuns: 2000 },
  );
});
