import { expect, test } from "vitest";
import { crowdRun } from "./crowd.ts";

test("1,000 clients that lose their connections at once, and then their server, are all back, and have lost nothing", async () => {
  const { faults } = await crowdRun(1000, Math.trunc(Math.random() * 2 ** 31));
  expect(faults).toEqual([]);
}, 120_000);
