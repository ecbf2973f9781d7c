import { createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { RawSocket } from "../../test/raw-socket.ts";
import { serve } from "../../test/serve.ts";
import { until } from "../../test/until.ts";
import { createServer, defineService, type Server } from "../index.ts";

const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function start(port: number): Promise<Server> {
  const server = await createServer({ port, services: { status: defineService({}) } });
  servers.push(server);
  return server;
}

/** What a listening TCP server says of itself, or the code of its error. */
async function listenBeside(port: number, reusePort: boolean): Promise<string> {
  const server: TcpServer = createTcpServer();
  return new Promise((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
    server.listen({ port, host: "127.0.0.1", reusePort }, () =>
      server.close(() => resolve("listens")),
    );
  });
}

describe("a port", () => {
  test("of a server of Windsock is taken, for another of Windsock and for any that does not ask to share", async () => {
    const { port } = await start(0);
    await expect(start(port)).rejects.toMatchObject({
      code: "WINDSOCK_LISTEN",
      message: expect.stringContaining(`Expected port ${port} of 127.0.0.1 to be free`),
    });
    expect(await listenBeside(port, false)).toBe("EADDRINUSE");
  });

  test("is had by one of those who want it in the same moment", async () => {
    const first = await start(0);
    const { port } = first;
    await first.stop();
    const starts = await Promise.allSettled(Array.from({ length: 8 }, () => start(port)));
    expect(starts.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refused = starts.filter((one) => one.status === "rejected");
    expect(refused.map(({ reason }) => (reason as { code: string }).code)).toEqual(
      Array.from({ length: 7 }, () => "WINDSOCK_LISTEN"),
    );
  });

  test("is free again once the server has stopped, whoever was connected", async () => {
    const server = await start(0);
    const { port } = server;
    // More than there are sockets that listen: each has some.
    const raws = await Promise.all(Array.from({ length: 64 }, () => RawSocket.open(port)));
    await server.stop();
    await Promise.all(raws.map((raw) => raw.rest()));
    expect(await listenBeside(port, false)).toBe("listens");
  });
});

describe("connections", () => {
  test("are counted together, whichever socket they came in by, and one beyond the bound ends without an answer", async () => {
    const { server, clock } = await serve(defineService({}), {
      limits: { maxConnections: 20, maxPendingUpgrades: 4 },
    });
    const raws = await Promise.all(Array.from({ length: 30 }, () => RawSocket.open(server.port)));
    await until(clock, () => raws.filter(({ isOver }) => isOver).length === 6);
    const [open] = raws.filter(({ isOver }) => !isOver);
    open?.reset();
    await until(clock, () => raws.filter(({ isOver }) => isOver).length === 7);
    // Its place is free as soon as the server has seen that.
    await expect
      .poll(async () => {
        const late = await RawSocket.open(server.port);
        late.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        return (await late.rest()).toString();
      })
      .toMatch(/^HTTP\/1.1 404 /);
  });
});
