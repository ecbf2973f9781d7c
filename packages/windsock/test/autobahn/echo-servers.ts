import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { createServer, defineService, type Report } from "../../src/index.ts";

export interface EchoLimits {
  /** @default 65536, as in Windsock */
  readonly maxPayloadBytes?: number;
  /** Whether both agree to compression: each message by itself, from 1,024 bytes on. @default false */
  readonly isCompressing?: boolean;
}

/** Two servers that send every message back: `ws` as it comes, and a Windsock service. */
export interface EchoServers {
  readonly ports: { readonly ws: number; readonly windsock: number };
  /** What Windsock has reported: nothing, unless a callback failed. */
  readonly reports: readonly Report[];
  /** Clients that the Windsock service has. */
  readonly clients: () => number;
  readonly stop: () => Promise<void>;
}

export async function startEchoServers(limits: EchoLimits = {}): Promise<EchoServers> {
  const { maxPayloadBytes = 64 * 1024, isCompressing = false } = limits;
  // As Windsock has it: a fragment for each 64 bytes, and 1,024 in any case. Newer than the type declarations of `ws`.
  const parts = Math.max(1024, maxPayloadBytes / 64);
  // And any number of pongs, which there are one write a read.
  const newer: object = { maxFragments: parts, maxBufferedChunks: parts, maxPendingAutoPongs: 0 };
  const plain = new WebSocketServer({
    ...newer,
    host: "127.0.0.1",
    port: 0,
    maxPayload: maxPayloadBytes,
    perMessageDeflate: isCompressing && {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      threshold: 1024,
    },
  });
  plain.on("connection", (socket) => {
    socket.on("error", () => undefined);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await once(plain, "listening");

  const reports: Report[] = [];
  const windsock = await createServer({
    port: 0,
    onReport: (report) => reports.push(report),
    // A test sends as fast as it can.
    limits: { maxPayloadBytes, maxMessagesPerSecond: 1_000_000 },
    compression: isCompressing,
    services: {
      status: defineService({
        handleIncoming: (client, message) => client.send(message as string | Uint8Array),
      }),
    },
  });

  return {
    ports: { ws: (plain.address() as AddressInfo).port, windsock: windsock.port },
    reports,
    clients: () => windsock.clients("status").length,
    stop: async () => {
      await windsock.stop();
      for (const client of plain.clients) client.terminate();
      await new Promise<void>((resolve) => plain.close(() => resolve()));
    },
  };
}
