import { createServer, type ServerOptions } from "windsock";

/** A Windsock server as it is out of the box, but for one bound: the bench's clients send more than 1,000 messages a second. */
export async function startWindsock(
  bench: NonNullable<Exclude<ServerOptions["services"], string>>[string],
  historyFile?: string,
): Promise<number> {
  const server = await createServer({
    services: { bench },
    port: 0,
    limits: { maxMessagesPerSecond: 100_000_000 },
    ...(historyFile === undefined ? {} : { historyFile }),
  });
  return server.port;
}
