/** What a page may say about its connection. */
export type ConnectionState = "connecting" | "live" | "offline";

export interface ConnectionOptions {
  /** Asked at each try: a log goes on where the last connection ended. */
  readonly path: () => string;
  readonly handleOpen?: () => void;
  readonly handleMessage: (text: string) => void;
  readonly handleState: (state: ConnectionState) => void;
}

const firstWaitMs = 500;
const maxWaitMs = 15_000;
/** A connection that ends sooner did not do well: the next wait is longer. */
const stableMs = 5000;

/** A WebSocket that comes back: after a jittered wait, or as soon as the machine is online or the page is looked at. */
export class Connection {
  readonly #options: ConnectionOptions;
  #socket: WebSocket | undefined;
  #timer: number | undefined;
  #openedAt = Infinity;
  #failures = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    addEventListener("online", this.#now);
    document.addEventListener("visibilitychange", this.#now);
    addEventListener("pageshow", this.#now);
    options.handleState("connecting");
    this.#open();
  }

  /** False when it could not be sent; it is not kept. */
  send(message: unknown): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Gives up a socket that nobody answers on: a broken network may not tell for hours. */
  drop(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#lost(this.#socket);
  }

  close(): void {
    clearTimeout(this.#timer);
    removeEventListener("online", this.#now);
    document.removeEventListener("visibilitychange", this.#now);
    removeEventListener("pageshow", this.#now);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  readonly #now = (): void => {
    if (this.#timer === undefined || document.visibilityState === "hidden") return;
    clearTimeout(this.#timer);
    this.#open();
  };

  #open(): void {
    this.#timer = undefined;
    this.#openedAt = Infinity;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.#options.path()}`);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (this.#socket !== socket) return;
      this.#openedAt = performance.now();
      this.#options.handleOpen?.();
      this.#options.handleState("live");
    });
    socket.addEventListener("message", ({ data }) => {
      if (this.#socket === socket && typeof data === "string") this.#options.handleMessage(data);
    });
    socket.addEventListener("close", () => this.#lost(socket));
  }

  /** From now on, and through all tries, it is offline until a connection stands. */
  #lost(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    socket.close();
    this.#options.handleState("offline");
    this.#failures = performance.now() - this.#openedAt > stableMs ? 0 : this.#failures + 1;
    const ceiling = Math.min(maxWaitMs, firstWaitMs * 2 ** this.#failures);
    this.#timer = window.setTimeout(() => this.#open(), 100 + Math.random() * ceiling);
  }
}
