import type { IncomingMessage } from "node:http";
import { WebSocket, type ClientOptions } from "ws";
import { WindsockError } from "../errors.ts";

export interface PlainClientOptions {
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly origin?: string;
}

/** An upgrade that was refused: what the server said. */
export class RefusedError extends WindsockError {
  override readonly code = "WINDSOCK_REFUSED";
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  constructor(
    status: number,
    body: string,
    headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  ) {
    super(`The upgrade was refused with ${status}: ${body.trim()}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** How long a test waits for something that should be on its way. Real time: a safety net, never a measure. */
const patienceMs = 10_000;

/** A WebSocket client that knows nothing of Windsock: frames in, frames out, over a real socket. */
export class PlainClient {
  /** Everything that has arrived, oldest first: text as strings, binary as buffers. */
  readonly received: (string | Buffer)[] = [];
  /** The headers of the 101 answer. */
  readonly headers: IncomingMessage["headers"];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #ws: WebSocket;
  #read = 0;
  #wake: (() => void)[] = [];

  private constructor(ws: WebSocket, headers: IncomingMessage["headers"]) {
    this.#ws = ws;
    this.headers = headers;
    this.closed = new Promise((resolve) => {
      ws.on("close", (code: number, reason: Buffer) => {
        resolve({ code, reason: reason.toString("utf8") });
        this.#notify();
      });
    });
  }

  /** @throws RefusedError when the server refuses the upgrade */
  static open(url: string, options: PlainClientOptions = {}): Promise<PlainClient> {
    const settings: ClientOptions = {
      headers: { ...options.headers },
      ...(options.origin === undefined ? {} : { origin: options.origin }),
    };
    const ws = new WebSocket(url.replace(/^http/, "ws"), [...(options.protocols ?? [])], settings);
    return new Promise((resolve, reject) => {
      let headers: IncomingMessage["headers"] = {};
      let early: [unknown, boolean][] | undefined = [];
      // A greeting may come in the same read as the 101.
      const onEarly = (data: unknown, isBinary: boolean): void =>
        void early?.push([data, isBinary]);
      ws.on("message", onEarly);
      ws.on("upgrade", (response) => {
        headers = response.headers;
      });
      ws.on("unexpected-response", (_request, response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          reject(
            new RefusedError(
              response.statusCode ?? 0,
              Buffer.concat(chunks).toString("utf8"),
              response.headers,
            ),
          ),
        );
      });
      ws.on("error", reject);
      ws.on("open", () => {
        const client = new PlainClient(ws, headers);
        ws.off("message", onEarly);
        ws.on("message", (data: Buffer, isBinary: boolean) => client.#take(data, isBinary));
        for (const [data, isBinary] of early ?? []) client.#take(data as Buffer, isBinary);
        early = undefined;
        resolve(client);
      });
    });
  }

  /** The sub-protocol that was agreed on, else empty. */
  get protocol(): string {
    return this.#ws.protocol;
  }

  get isOpen(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
  }

  /** Bytes that were sent and that the other side's socket has not taken. */
  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(data: string | Uint8Array): void {
    this.#ws.send(data);
  }

  /** The next message that was not taken yet. */
  async next(): Promise<string | Buffer> {
    const [message] = await this.take(1);
    return message ?? "";
  }

  /** The next `count` messages. Rejects when the connection ends before, or nothing more comes for 10 s. */
  async take(count: number): Promise<(string | Buffer)[]> {
    const deadline = performance.now() + patienceMs;
    while (this.received.length - this.#read < count) {
      const have = this.received.slice(this.#read);
      if (!this.isOpen)
        throw new WindsockError(
          `Expected ${count} messages, got ${have.length} before the connection ended: ${have.map(String).join(" | ").slice(0, 500)}`,
        );
      if (!(await this.#change(deadline - performance.now()))) {
        throw new WindsockError(
          `Expected ${count} messages, got ${have.length} in ${patienceMs} ms: ${have.map(String).join(" | ").slice(0, 500)}`,
        );
      }
    }
    const taken = this.received.slice(this.#read, this.#read + count);
    this.#read += count;
    return taken;
  }

  /** Stops reading from the socket, as a stalled client does. */
  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  close(code: number = 1000, reason: string = ""): void {
    this.#ws.close(code, reason);
  }

  /** Ends without a close frame, as a cut does. */
  cut(): void {
    this.#ws.terminate();
  }

  #take(data: Buffer, isBinary: boolean): void {
    this.received.push(isBinary ? data : data.toString("utf8"));
    this.#notify();
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** False: nothing happened in time. */
  #change(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.max(0, ms));
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}
