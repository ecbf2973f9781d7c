// `ws` with one buffer for header and payload, built once a broadcast: the best that its users do.
import type { AddressInfo, Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { frameOf } from "../server-frame.ts";
import { ordered, parseOrderBytes } from "../workload.ts";
import { serve } from "./control.ts";

/** Not in the type declarations of `ws`, and not documented. */
type Inside = WebSocket & { readonly _socket: Socket };

await serve(
  () =>
    new Promise<number>((resolve) => {
      const server: WebSocketServer = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () =>
        resolve((server.address() as AddressInfo).port),
      );
      server.on("connection", (ws) => {
        ws.on("error", console.error);
        ws.on("message", (data: Buffer, isBinary) => {
          const order = parseOrderBytes(data);
          if (order === undefined) {
            ws.send(data, { binary: isBinary });
            return;
          }
          for (const text of ordered(order)) {
            const frame = frameOf(Buffer.from(text));
            for (const client of server.clients as Set<Inside>) {
              if (client.readyState === WebSocket.OPEN) client._socket.write(frame);
            }
          }
        });
      });
    }),
);
