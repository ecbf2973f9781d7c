import { onTestFinished } from "vitest";
import { WebSocket, type ClientOptions } from "ws";
import { until } from "./until.ts";

/** A plain WebSocket client, as anybody may have written it. Ended when the test has finished. */
export class Watcher {
  readonly socket: WebSocket;
  readonly messages: string[] = [];
  /** What `log` has as UTF-8. */
  bytes = 0;
  /** Set when the socket has closed. */
  closed: { readonly code: number; readonly reason: string } | undefined;

  private constructor(socket: WebSocket, cutAfterBytes: number) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      if (isBinary) throw new Error("Expected text messages, got a binary one.");
      if (this.bytes >= cutAfterBytes) return;
      this.messages.push((data as Buffer).toString("utf8"));
      this.bytes += (data as Buffer).length + 1;
      if (this.bytes >= cutAfterBytes) socket.terminate();
    });
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString("utf8") };
    });
    socket.on("error", () => {});
    onTestFinished(() => socket.terminate());
  }

  /** After `cutAfterBytes` the connection breaks without a close, as when a train drives into a tunnel. */
  static async open(
    url: string,
    { cutAfterBytes = Infinity, ...options }: ClientOptions & { cutAfterBytes?: number } = {},
  ): Promise<Watcher> {
    const watcher = new Watcher(new WebSocket(url.replace(/^http/, "ws"), options), cutAfterBytes);
    await until(`${url} is open`, () => {
      if (watcher.messages.length > 0) return true;
      if (watcher.closed !== undefined) throw new Error(`${url} was refused.`);
      return watcher.socket.readyState === WebSocket.OPEN;
    });
    return watcher;
  }

  /** The lines of all messages, each with its newline: what a log file would hold. */
  get log(): string {
    return this.messages.map((message) => `${message}\n`).join("");
  }

  get events(): { readonly type: string; readonly [key: string]: unknown }[] {
    return this.messages.map((message) => JSON.parse(message) as { type: string });
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  async seen(what: string, condition: (watcher: this) => boolean): Promise<void> {
    await until(what, () => {
      if (this.closed !== undefined && !condition(this))
        throw new Error(`The socket closed with ${this.closed.code} ${this.closed.reason}`);
      return condition(this);
    });
  }
}

/** The status with which an upgrade is refused; 101 when it is not. */
export async function upgradeStatus(url: string, options: ClientOptions = {}): Promise<number> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), options);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  socket.once("upgrade", () => resolve(101));
  socket.once("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
  socket.on("error", reject);
  return promise.finally(() => {
    socket.removeAllListeners("error");
    socket.on("error", () => {});
    socket.terminate();
  });
}
