// Bun's own server and topics. Run by Bun.
import { ordered, parseOrder } from "../workload.ts";
import { serve } from "./control.ts";

interface BunSocket {
  subscribe(topic: string): void;
  sendText(text: string): number;
}
interface BunServer {
  readonly port: number;
  upgrade(request: Request): boolean;
  publish(topic: string, text: string): number;
}
declare const Bun: {
  serve(options: {
    readonly port: number;
    readonly hostname: string;
    fetch(request: Request, server: BunServer): Response | undefined;
    readonly websocket: {
      open(socket: BunSocket): void;
      message(socket: BunSocket, message: string): void;
    };
  }): BunServer;
};

await serve(() => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) =>
      self.upgrade(request)
        ? undefined
        : new Response("Expected a WebSocket handshake.", { status: 426 }),
    websocket: {
      open: (socket) => socket.subscribe("all"),
      message(socket, message) {
        const order = parseOrder(message);
        if (order === undefined) socket.sendText(message);
        else for (const text of ordered(order)) server.publish("all", text);
      },
    },
  });
  return Promise.resolve(server.port);
});
