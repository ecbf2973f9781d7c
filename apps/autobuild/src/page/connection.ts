/** What a page may say about its connection. */
export type ConnectionState =
  | { readonly type: "connecting" }
  | { readonly type: "live" }
  | { readonly type: "offline"; readonly retryInMs: number };

export interface ConnectionOptions {
  /** Asked at each try: a log goes on where the last connection ended. */
  readonly path: () => string;
  readonly handleOpen?: () => void;
  readonly handleMessage: (text: string) => void;
  readonly handleState?: (state: ConnectionState) => void;
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
  #failures = 0;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    addEventListener("online", this.#now);
    document.addEventListener("visibilitychange", this.#now);
    addEventListener("pageshow", this.#now);
    this.#open();
  }

  send(message: unknown): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    removeEventListener("online", this.#now);
    document.removeEventListener("visibilitychange", this.#now);
    removeEventListener("pageshow", this.#now);
    this.#socket?.close();
  }

  readonly #now = (): void => {
    if (this.#timer === undefined || document.visibilityState === "hidden") return;
    clearTimeout(this.#timer);
    this.#open();
  };

  #open(): void {
    this.#timer = undefined;
    this.#tell({ type: "connecting" });
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.#options.path()}`);
    const openedAt = performance.now();
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (this.#isClosed) return;
      this.#options.handleOpen?.();
      this.#tell({ type: "live" });
    });
    socket.addEventListener("message", ({ data }) => {
      if (!this.#isClosed && typeof data === "string") this.#options.handleMessage(data);
    });
    socket.addEventListener("close", () => {
      if (this.#isClosed) return;
      this.#failures = performance.now() - openedAt > stableMs ? 0 : this.#failures + 1;
      const ceiling = Math.min(maxWaitMs, firstWaitMs * 2 ** this.#failures);
      const retryInMs = 100 + Math.random() * ceiling;
      this.#tell({ type: "offline", retryInMs });
      this.#timer = window.setTimeout(() => this.#open(), retryInMs);
    });
  }

  #tell(state: ConnectionState): void {
    this.#options.handleState?.(state);
  }
}
