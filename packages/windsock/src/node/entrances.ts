import cluster from "node:cluster";
import type { Server as HttpServer } from "node:http";
import {
  createServer,
  type AddressInfo,
  type ListenOptions,
  type Server,
  type Socket,
} from "node:net";
import { ListenError } from "../errors.ts";

/**
 * Sockets that listen on one port. A round of the event loop takes one connection from each, and costs as
 * much as a quarter of a join: when thousands come at once, several are taken in one round (ADR 0037).
 */
const listeningSockets = 8;
/** A port that the system chose may be taken by another program before it is ours. */
const maxChoices = 3;

export interface Place {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

/** Where connections come in: the HTTP server itself and, where the system can, more sockets on its port. */
export class Entrances {
  readonly #http: HttpServer;
  readonly #others: readonly Server[];
  #closed: Promise<void> | undefined;

  constructor(http: HttpServer, others: readonly Server[] = []) {
    this.#http = http;
    this.#others = others;
  }

  /** @throws ListenError when the port cannot be had */
  static async open(http: HttpServer, place: Place): Promise<Entrances> {
    for (let choices = 1; ; choices++) {
      try {
        return await openAt(http, place);
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
        if (isTaken && place.port === 0 && choices < maxChoices) continue;
        throw explained(error as NodeJS.ErrnoException, place);
      }
    }
  }

  /** Takes no new connection. Resolves when those there are have ended. */
  close(): Promise<void> {
    this.#closed ??= Promise.all([this.#http, ...this.#others].map(closed)).then(() => {});
    return this.#closed;
  }
}

/**
 * Sockets that share a port say so, and then share it with any program of this user that says so too. So
 * the port is first taken alone, and only one program at a time goes from there to sharing.
 */
async function openAt(http: HttpServer, { host, port }: Place): Promise<Entrances> {
  if (process.platform !== "linux" || cluster.isWorker) {
    await listening(http, { host, port });
    return new Entrances(http);
  }
  const alone = createServer();
  const { port: chosen } = await listening(alone, { host, port });
  const turn = createServer();
  const hasTurn = await listening(turn, { path: `\0windsock ${chosen}` }).then(
    () => true,
    () => false,
  );
  alone.close();
  try {
    if (!hasTurn) {
      await listening(http, { host, port: chosen });
      return new Entrances(http);
    }
    const { address } = await listening(http, { host, port: chosen, reusePort: true });
    const others = await Promise.all(
      Array.from({ length: listeningSockets - 1 }, () => another(http, address, chosen)),
    );
    return new Entrances(
      http,
      others.filter((one) => one !== undefined),
    );
  } finally {
    turn.close();
  }
}

/** One more socket on the port of an HTTP server. Undefined: the system has none left, and fewer do. */
async function another(http: HttpServer, host: string, port: number): Promise<Server | undefined> {
  // As an HTTP server has its own.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) =>
    http.emit("connection", socket),
  );
  try {
    await listening(server, { host, port, reusePort: true });
    return server;
  } catch {
    return undefined;
  }
}

function listening(server: Server, options: ListenOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}

function explained(error: NodeJS.ErrnoException, { host, port }: Place): ListenError {
  const why =
    error.code === "EADDRINUSE"
      ? `Expected port ${port} of ${host} to be free, got it taken by another program. Stop that one, or choose another port (\`--port\`, the variable PORT).`
      : error.code === "EACCES"
        ? `Expected leave to listen on port ${port} of ${host}, got none. Choose a port of at least 1024.`
        : `Expected to listen on port ${port} of ${host}, got ${error.message}.`;
  return new ListenError(why, { cause: error });
}
