// Windsock's own way: a service without `handleBroadcast` publishes what is broadcast.
import { broadcast, defineService } from "windsock";
import { ordered, parseOrder } from "../workload.ts";
import { serve } from "./control.ts";
import { startWindsock } from "./windsock.ts";

const bench = defineService({
  handleIncoming(client, message) {
    const order = typeof message === "string" ? parseOrder(message) : undefined;
    if (order === undefined) client.send(message);
    else for (const text of ordered(order)) broadcast("bench", text);
  },
});

await serve(() => startWindsock(bench));
