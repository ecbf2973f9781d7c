// The control: `ws` as its README shows a broadcast.
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { isSilentBytes, ordered, parseOrderBytes } from "../workload.ts";
import { serve } from "./control.ts";

await serve(
  () =>
    new Promise<number>((resolve) => {
      const server: WebSocketServer = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () =>
        resolve((server.address() as AddressInfo).port),
      );
      server.on("connection", (ws) => {
        ws.on("error", console.error);
        ws.on("message", (data: Buffer, isBinary) => {
          if (isSilentBytes(data)) return;
          const order = parseOrderBytes(data);
          if (order === undefined) {
            ws.send(data, { binary: isBinary });
            return;
          }
          for (const text of ordered(order)) {
            const bytes = Buffer.from(text);
            for (const client of server.clients) {
              if (client.readyState === WebSocket.OPEN) client.send(bytes, { binary: false });
            }
          }
        });
      });
    }),
);
