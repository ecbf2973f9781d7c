import { queryObjects } from "node:v8";
import { expect, test, vi } from "vitest";
import { defineService, reply, type } from "../src/index.ts";
import { settle } from "../src/testing/index.ts";
import { serve } from "./serve.ts";

// A count takes a collection of the whole heap: seconds, on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** How many tables there are in this process; an empty one takes 200 bytes. */
async function tables(): Promise<number> {
  await settle();
  const count = (kind: new () => object) => Number(queryObjects(kind, { format: "count" }));
  return count(Map) + count(Set);
}

// Ten empty tables were two of the seven kilobytes that an actor took which did nothing.
test("a key that nobody is in has no tables of its own", async () => {
  const room = defineService({
    params: ["id"],
    calls: { visit: { response: type<number>() } },
    init: () => 0,
    handleCall: { visit: (_client, _request, visits: number) => reply(visits + 1, visits + 1) },
  });
  const { server } = await serve({ "room/[id]": room });
  const visit = (key: string) => server.call(`room/${key}`, "visit");
  await visit("first");
  const before = await tables();
  const keys = 100;
  for (let key = 0; key < keys; key++) expect(await visit(`${key}`)).toBe(1);
  expect((await tables()) - before).toBeLessThan(keys);
});
