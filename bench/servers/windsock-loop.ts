// The original's way: the service keeps a list of its clients, and sends to each of them.
import { broadcast, defineService, type Client } from "windsock";
import { ordered, parseOrder } from "../workload.ts";
import { serve } from "./control.ts";
import { startWindsock } from "./windsock.ts";

const bench = defineService({
  init: () => [] as Client[],
  handleJoin: (client, clients) => [client, ...clients],
  handleClose: (client, _reason, clients) => clients.filter((other) => other !== client),
  handleBroadcast(message: string, clients) {
    for (const client of clients) client.send(message);
  },
  handleIncoming(client, message) {
    const order = typeof message === "string" ? parseOrder(message) : undefined;
    if (order === undefined) client.send(message);
    else for (const text of ordered(order)) broadcast("bench", text);
  },
});

await serve(() => startWindsock(bench));
