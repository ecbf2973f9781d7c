import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { maskedTexts, Masker } from "../src/run/mask.ts";

function masked(secrets: readonly string[], chunks: readonly (string | Uint8Array)[]): string {
  const masker = new Masker(maskedTexts(secrets));
  const parts = chunks.map((chunk) => masker.push(Buffer.from(chunk)));
  return Buffer.concat([...parts, masker.end()]).toString();
}

describe("secrets in output", () => {
  test("are stars, as they are, in base64 and in URLs", () => {
    const secret = "p@ss word/1";
    expect(masked([secret], [`a ${secret} b ${secret}${secret}`])).toBe("a *** b ******");
    expect(masked([secret], [Buffer.from(secret).toString("base64")])).toMatch(/^\*\*\*=?$/);
    expect(masked([secret], [encodeURIComponent(secret)])).toBe("***");
  });

  test("of several lines are hidden line by line, but not what is everywhere", () => {
    const key = "-----BEGIN KEY-----\nabcdefghij\n}\n-----END KEY-----\n";
    expect(masked([key], ["x\n  abcdefghij\r\n  }\r\n"])).toBe("x\n  ***\r\n  }\r\n");
    expect(masked([key], [`<${key}>`])).toBe("<***>");
  });

  test("that are short are hidden all the same", () => {
    expect(masked(["1234"], ["pin 1234."])).toBe("pin ***.");
  });

  test("one of which begins another are hidden by the longer one", () => {
    expect(masked(["secret", "secret-long"], ["secret-long secret-lo", "ng secret-"])).toBe(
      "*** *** ***-",
    );
  });

  test("are found wherever chunks end, and only what may be one is held back", () => {
    const secret = "hunter2hunter3";
    const masker = new Masker(maskedTexts([secret]));
    expect(masker.push(Buffer.from("all of this line\n")).toString()).toBe("all of this line\n");
    expect(masker.push(Buffer.from("prompt> hunt")).toString()).toBe("prompt> ");
    expect(masker.push(Buffer.from("ing")).toString()).toBe("hunting");
    const alphabet = fc.constantFrom("a", "b", "ab", "aab", "secret", "é");
    fc.assert(
      fc.property(
        fc.array(
          fc.array(alphabet, { minLength: 3, maxLength: 6 }).map((parts) => parts.join("")),
          {
            minLength: 1,
            maxLength: 3,
          },
        ),
        fc.array(alphabet, { maxLength: 60 }).map((parts) => Buffer.from(parts.join(""))),
        fc.array(fc.nat(), { maxLength: 8 }),
        (secrets, bytes, cuts) => {
          const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
          const ordered = places.toSorted((left, right) => left - right);
          const chunks = ordered.slice(1).map((end, index) => bytes.subarray(ordered[index], end));
          const whole = masked(secrets, [bytes]);
          expect(masked(secrets, chunks)).toBe(whole);
          for (const text of maskedTexts(secrets))
            expect(whole.includes(text.toString())).toBe(false);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
