import { defineService, type Client } from "windsock";

export default defineService({
  init: () => [] as Client[],
  handleJoin: (client, clients) => [client, ...clients],
  handleClose: (client, _reason, clients) => clients.filter((other) => other !== client),
  handleBroadcast(message: string, clients) {
    for (const client of clients) client.send(message);
  },
});
