import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OptionError } from "../errors.ts";
import { jsonFault } from "./json-fault.ts";
import {
  type AcceptedPublish,
  admitPublish,
  type PublishOptions,
  publishTokens,
  readPublish,
} from "./publish.ts";

const token = "0123456789abcdef";
const usual: PublishOptions = {
  host: "localhost",
  allowedHosts: [],
  origins: [],
  publishTokens: [token],
  maxPayloadBytes: 65_536,
};

type Fields = Record<string, string | string[] | null>;

function ask(fields: Fields = {}, options: Partial<PublishOptions> = {}) {
  const all: Fields = { Host: "localhost:8001", Authorization: `Bearer ${token}`, ...fields };
  const rawHeaders = Object.entries(all).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().flatMap((each) => [name, each]),
  );
  return admitPublish({ rawHeaders, secure: false }, { ...usual, ...options });
}

function refusal(fields: Fields, options: Partial<PublishOptions> = {}) {
  const decision = ask(fields, options);
  if (decision.type !== "refuse") throw new Error("expected a refusal");
  return decision;
}

function accepted(kind: AcceptedPublish["kind"], maxPayloadBytes = 65_536): AcceptedPublish {
  return { type: "accept", kind, maxPayloadBytes, idempotencyKey: undefined };
}

const utf8 = (text: string) => new TextEncoder().encode(text);

describe("a token", () => {
  test("that is the server's opens", () => {
    expect(ask()).toEqual(accepted("text"));
    expect(ask({ Authorization: `bearer   ${token}` }).type).toBe("accept");
  });

  test("that is any of several opens", () => {
    const options = { publishTokens: ["fedcba9876543210", token] };
    expect(ask({}, options).type).toBe("accept");
    expect(ask({ Authorization: "Bearer fedcba9876543210" }, options).type).toBe("accept");
  });

  test("of nobody: publishing is off, and told how to switch it on", () => {
    for (const Authorization of [null, "Bearer ", `Bearer ${token}`]) {
      const { status, body } = refusal({ Authorization }, { publishTokens: [] });
      expect(status).toBe(403);
      expect(body).toContain("Set the server's option `publishToken`");
    }
  });

  test.each([
    [null, 'Bearer realm="windsock"'],
    [`Bearer ${token}0`, 'Bearer realm="windsock", error="invalid_token"'],
    [`Bearer ${token.slice(1)}`, 'Bearer realm="windsock", error="invalid_token"'],
    [`Bearer ${token.toUpperCase()}`, 'Bearer realm="windsock", error="invalid_token"'],
    ["Bearer", 'Bearer realm="windsock", error="invalid_request"'],
    [token, 'Bearer realm="windsock", error="invalid_request"'],
    [`Basic ${token}`, 'Bearer realm="windsock", error="invalid_request"'],
    [`Bearer ${token} x`, 'Bearer realm="windsock", error="invalid_request"'],
    [[`Bearer ${token}`, `Bearer ${token}`], 'Bearer realm="windsock", error="invalid_request"'],
  ])("sent as %j does not open", (Authorization, challenge) => {
    expect(refusal({ Authorization })).toMatchObject({
      status: 401,
      headers: { "WWW-Authenticate": challenge },
    });
  });

  test("is never told back", () => {
    const wrong = "wrong-token-wrong-token";
    expect(JSON.stringify(refusal({ Authorization: `Bearer ${wrong}` }))).not.toContain(wrong);
  });

  test("has at least 16 characters that a header can carry, and empty ones do not count", () => {
    expect(publishTokens(undefined)).toEqual([]);
    expect(publishTokens("")).toEqual([]);
    expect(publishTokens(["", token])).toEqual([token]);
    expect(publishTokens("MDEyMzQ1Njc4OWFiY2RlZg==")).toHaveLength(1);
    for (const bad of ["x".repeat(15), `${token} `, `${token}é`, "=".repeat(16)]) {
      expect(() => publishTokens(bad)).toThrow(OptionError);
    }
  });
});

test("a foreign page is refused even with the token, and a foreign Host", () => {
  expect(refusal({ Origin: "https://evil.example" }).status).toBe(403);
  expect(refusal({ Origin: "null" }).status).toBe(403);
  expect(refusal({ Host: "evil.example" }).status).toBe(403);
  expect(refusal({ Host: null }).status).toBe(400);
  expect(ask({ Origin: "http://localhost:8001" }).type).toBe("accept");
  expect(ask({ Origin: "https://a.example" }, { origins: ["https://a.example"] }).type).toBe(
    "accept",
  );
});

describe("a content type", () => {
  test.each([
    [null, "text"],
    ["text/plain", "text"],
    ["Text/Plain; Charset=UTF-8", "text"],
    ['text/plain;charset="utf-8"', "text"],
    ["text/plain; charset=us-ascii", "text"],
    ["application/json", "json"],
    ["application/json; charset=utf-8", "json"],
    ["application/octet-stream", "binary"],
  ])("%j is %s", (type, kind) => expect(ask({ "Content-Type": type })).toMatchObject({ kind }));

  test.each([
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "text/plain; charset=utf-16",
    "text/plain; charset=latin1",
    "json",
    "",
  ])("%j is refused", (type) => {
    expect(refusal({ "Content-Type": type })).toMatchObject({ status: 415 });
  });

  test("comes once, and its body uncompressed", () => {
    expect(refusal({ "Content-Type": ["text/plain", "application/json"] }).status).toBe(415);
    expect(refusal({ "Content-Encoding": "gzip" }).status).toBe(415);
    expect(ask({ "Content-Encoding": "identity" }).type).toBe("accept");
  });

  test("that is refused is told which would do", () => {
    expect(refusal({ "Content-Type": "text/html" }).headers).toMatchObject({
      Accept: "text/plain, application/json, application/octet-stream",
    });
  });
});

describe("maxPayloadBytes", () => {
  test("bounds the announced length", () => {
    expect(ask({ "Content-Length": "65536" }).type).toBe("accept");
    expect(refusal({ "Content-Length": "65537" }).status).toBe(413);
  });

  test("bounds the body", () => {
    expect(readPublish(accepted("text", 4), utf8("1234"))).toMatchObject({ type: "publish" });
    expect(readPublish(accepted("text", 4), utf8("12345"))).toMatchObject({ status: 413 });
    expect(readPublish(accepted("text", 4), utf8("ééé"))).toMatchObject({ status: 413 });
  });
});

describe("an Idempotency-Key", () => {
  test("is handed on", () => {
    const decision = ask({ "Idempotency-Key": "build-42" });
    expect(decision).toMatchObject({ idempotencyKey: "build-42" });
    expect(decision.type === "accept" && readPublish(decision, utf8("x"))).toMatchObject({
      idempotencyKey: "build-42",
    });
  });

  test("has 1 to 128 visible characters, and comes once", () => {
    expect(ask({ "Idempotency-Key": "x".repeat(128) }).type).toBe("accept");
    for (const key of ["", "x".repeat(129), "a b", "é", ["a", "b"], ["a", "a"]]) {
      expect(refusal({ "Idempotency-Key": key }).status).toBe(400);
    }
  });
});

describe("a body", () => {
  test("is handed on as it came", () => {
    for (const [kind, text] of [
      ["text", ""],
      ["text", "\uFEFFhé"],
      ["json", '{"__proto__":{"x":1}}'],
      ["json", " null "],
      ["binary", ""],
    ] as const) {
      const bytes = utf8(text);
      expect(readPublish(accepted(kind), bytes)).toEqual({
        type: "publish",
        value: { kind, bytes },
        idempotencyKey: undefined,
      });
    }
    const noText = new Uint8Array([0xff, 0x00]);
    expect(readPublish(accepted("binary"), noText)).toMatchObject({ value: { bytes: noText } });
  });

  test.each([[[0xff]], [[0xc3]], [[0xed, 0xa0, 0x80]], [[0xc0, 0xaf]]])(
    "of text is valid UTF-8: %j is not",
    (bytes) => {
      for (const kind of ["text", "json"] as const) {
        expect(readPublish(accepted(kind), new Uint8Array(bytes))).toMatchObject({ status: 400 });
      }
    },
  );

  test("of JSON is valid, or told where it is not", () => {
    expect(readPublish(accepted("json"), utf8('{"a": 1,\n "b": x}'))).toMatchObject({
      status: 400,
      body: "Expected JSON, got something else at line 2, column 7 (Unexpected token 'x'). Send plain text as text/plain.\n",
    });
  });
});

describe("the place of a fault in JSON", () => {
  test.each([
    ["", "line 1, column 1 (Unexpected end of JSON input)"],
    ["abc", "line 1, column 1 (Unexpected token 'a')"],
    ["[1 2]", "line 1, column 4 (Expected ',' or ']' after array element)"],
    ['{"a":1,}', "line 1, column 8 (Expected double-quoted property name)"],
    ["[1,\n2,\n  nul]", "line 3, column 6 (Unexpected token ']')"],
    ['["a\nb"]', "line 1, column 4 (Bad control character in string literal)"],
    ["\uFEFF1", "line 1, column 1 (Unexpected token '\uFEFF')"],
  ])("%j is at %s", (text, fault) => expect(jsonFault(text)).toBe(fault));

  test("is none where JSON.parse finds none", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(jsonFault(text)).toBeUndefined();
      }),
    );
  });

  test("is the first character that a broken text cannot have there", () => {
    const whole = '{"key": [1, true, "text", null]}';
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (at) => {
        // `\u0001` stands nowhere in JSON, so the fault is where it was put.
        const fault = jsonFault(`${whole.slice(0, at)}\u0001${whole.slice(at)}`);
        expect(fault).toMatch(new RegExp(`^line 1, column ${at + 1} `));
      }),
    );
  });

  test("is found in the time of a few readings", () => {
    const text = `[${"1,".repeat(500_000)}x]`;
    expect(jsonFault(text)).toContain("column 1000002 ");
  });
});
