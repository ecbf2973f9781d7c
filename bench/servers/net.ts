// The floor on Node: bare sockets, one write a socket and turn, and nothing that a server needs beside.
import { createHash } from "node:crypto";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { findFrame, frameOf } from "../server-frame.ts";
import { ordered, parseOrderBytes } from "../workload.ts";
import { serve } from "./control.ts";

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const sockets = new Set<Socket>();
let due: Buffer[] = [];

function broadcast(text: string): void {
  if (due.length === 0) setImmediate(flush);
  due.push(frameOf(Buffer.from(text)));
}

function flush(): void {
  const [first] = due;
  const buffer = due.length === 1 && first !== undefined ? first : Buffer.concat(due);
  due = [];
  for (const socket of sockets) socket.write(buffer);
}

function shake(socket: Socket, request: string): void {
  const key = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1] ?? "";
  const accept = createHash("sha1")
    .update(key + guid)
    .digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  sockets.add(socket);
}

/** What is left of an incomplete frame. */
function take(socket: Socket, bytes: Buffer): Buffer | undefined {
  const replies: Buffer[] = [];
  let rest = bytes;
  for (let frame = findFrame(rest); frame !== undefined; frame = findFrame(rest)) {
    rest = rest.subarray(frame.length);
    if (frame.opcode === 8) socket.end();
    if (frame.opcode > 2) continue;
    const order = parseOrderBytes(frame.payload);
    if (order === undefined) replies.push(frameOf(frame.payload));
    else for (const text of ordered(order)) broadcast(text);
  }
  if (replies.length > 0) socket.write(Buffer.concat(replies));
  return rest.length === 0 ? undefined : rest;
}

await serve(
  () =>
    new Promise((resolve) => {
      const server = createServer({ noDelay: true }, (socket) => {
        let rest: Buffer | undefined;
        socket.on("data", (chunk: Buffer) => {
          const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
          if (sockets.has(socket)) {
            rest = take(socket, bytes);
          } else if (bytes.includes("\r\n\r\n")) {
            rest = undefined;
            shake(socket, bytes.toString("latin1"));
          } else {
            rest = bytes;
          }
        });
        socket.on("error", () => {});
        socket.on("close", () => sockets.delete(socket));
      });
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
    }),
);
