// Socket.IO as it is out of the box; its clients come over WebSocket at once.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { ordered, parseOrder } from "../workload.ts";
import { serve } from "./control.ts";

await serve(
  () =>
    new Promise((resolve) => {
      const http = createServer();
      const io = new Server(http);
      io.on("connection", (socket) => {
        socket.on("m", (message: string) => {
          const order = parseOrder(message);
          if (order === undefined) socket.emit("m", message);
          else for (const text of ordered(order)) io.emit("m", text);
        });
      });
      http.listen(0, "127.0.0.1", () => resolve((http.address() as AddressInfo).port));
    }),
);
