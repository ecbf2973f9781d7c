import { expect, test } from "vitest";
import { HeaderPool } from "./header-pool.ts";

test("a request's header keeps order and repeats, without the key of the handshake", () => {
  const raw = ["Host", "a", "X", "1", "Sec-WebSocket-Key", "k", "x", "2", "Cookie", "c"];
  expect(new HeaderPool().headers(raw)).toEqual(["Host", "a", "X", "1", "x", "2", "Cookie", "c"]);
});

test("what is beyond its bounds is handed on as it is", () => {
  const pool = new HeaderPool();
  const texts = Array.from({ length: 5000 }, (_, index) => `v${index}`);
  expect(texts.map((text) => pool.share(text))).toEqual(texts);
  const long = "x".repeat(10_000);
  expect(pool.share(long)).toBe(long);
});
