import { expect, test } from "vitest";
import { defineService, type Client } from "../src/index.ts";
import { serve } from "./serve.ts";

test("the seed program greets who joins and sends every broadcast to everybody", async () => {
  const status = defineService({
    init: () => [] as Client[],
    handleJoin(client, clients) {
      client.send("Hello WebSocket!");
      return [client, ...clients];
    },
    handleClose(client, _reason, clients) {
      return clients.filter((other) => other !== client);
    },
    handleBroadcast(message: string, clients) {
      for (const client of clients) client.send(message);
    },
  });
  const { server, open } = await serve(status);
  const first = await open();
  const second = await open();
  expect(await first.next()).toBe("Hello WebSocket!");
  expect(await second.next()).toBe("Hello WebSocket!");
  server.broadcast(status, "one");
  server.broadcast("status", "two");
  expect(await first.take(2)).toEqual(["one", "two"]);
  expect(await second.take(2)).toEqual(["one", "two"]);
});
