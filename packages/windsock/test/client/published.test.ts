// What an app's compiler makes of the client's published declarations, which are bundled.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PublishedApp } from "../types/published-app.ts";

let app: PublishedApp;

beforeAll(async () => {
  app = await PublishedApp.create(join(import.meta.dirname, "../types/named"));
});

afterAll(() => app.remove());

test("names that an app declares for `windsock` are checked by `windsock/client` too", async () => {
  expect(await app.compile(["client.test-d.ts", "windsock.d.ts"])).toBe("");
});

test("the declarations hold without skipLibCheck, and need nothing of a browser's", async () => {
  await writeFile(join(app.folder, "client.ts"), 'export * from "windsock/client";\n');
  expect(await app.compile(["client.ts"], { skipLibCheck: false })).toBe("");
});
