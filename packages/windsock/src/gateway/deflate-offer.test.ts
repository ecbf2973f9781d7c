import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { negotiateDeflate } from "./deflate-offer.ts";

const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

describe("RFC 7692, section 5.1: an offer", () => {
  test.each([
    ["permessage-deflate", agreed],
    ["permessage-deflate; client_max_window_bits", agreed],
    ["permessage-deflate; client_max_window_bits=8", agreed],
    ['permessage-deflate ;client_max_window_bits = "10"', agreed],
    ["permessage-deflate; server_no_context_takeover; client_no_context_takeover", agreed],
    ["permessage-deflate; server_max_window_bits=15", `${agreed}; server_max_window_bits=15`],
    ["x-unknown; a=b, permessage-deflate", agreed],
    ["permessage-deflate; server_max_window_bits=10, permessage-deflate", agreed],
    [",permessage-deflate,,", agreed],
  ])("%s is accepted", (offers, answer) => {
    expect(negotiateDeflate(offers)).toEqual({ type: "agreed", answer });
  });

  test.each([
    "",
    "x-webkit-deflate-frame",
    "constructor, __proto__, toString",
    // One window for everybody: a broadcast is compressed once.
    "permessage-deflate; server_max_window_bits=14",
    "permessage-deflate; server_max_window_bits",
    "permessage-deflate; client_max_window_bits=7",
    "permessage-deflate; client_max_window_bits=16",
    "permessage-deflate; client_max_window_bits=010",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; level=9",
  ])("%s is declined", (offers) => {
    expect(negotiateDeflate(offers)).toEqual({ type: "agreed", answer: undefined });
  });

  // RFC 6455, section 9.1: who reads extensions fails the connection over what is none.
  test.each([
    "permessage-deflate;",
    "permessage-deflate; =1",
    "permessage-deflate; a=",
    'permessage-deflate; a="b c"',
    "permessage deflate",
    ";",
    "perm\u00e9ssage-deflate",
  ])("%s is a fault", (offers) => {
    expect(negotiateDeflate(offers)).toMatchObject({
      type: "fault",
      sentence: expect.stringContaining("Expected Sec-WebSocket-Extensions"),
    });
  });
});

test("any text is answered, and soon", () => {
  const parts = fc.constantFrom("permessage-deflate", ";", "=", ",", " ", '"', "a", "\t");
  const some = fc.array(parts, { maxLength: 500 }).map((all) => all.join(""));
  fc.assert(
    fc.property(fc.oneof(some, fc.string({ maxLength: 2000 })), (offers) => {
      expect(["agreed", "fault"]).toContain(negotiateDeflate(offers).type);
    }),
  );
  const started = process.cpuUsage();
  negotiateDeflate(`permessage-deflate${"; a".repeat(5000)}"`);
  negotiateDeflate(`permessage-deflate;${" ".repeat(16_000)}"`);
  expect(process.cpuUsage(started).user).toBeLessThan(500_000);
});
