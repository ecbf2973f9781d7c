/** How a process's rest is told from its work. */
export interface IdleMemoryOptions {
  /** Between two looks. @default 5_000 */
  readonly lookMs: number;
  /** Of one core; above it the process is at work. @default 0.05 */
  readonly busyShare: number;
  /** The least time between two collections. @default 20_000 */
  readonly restMs: number;
}

const defaults: IdleMemoryOptions = { lookMs: 5000, busyShare: 0.05, restMs: 20_000 };

/** What `IdleMemory` looks at and does. */
export interface IdleMemoryPorts {
  /** Processor time that the process has used, in milliseconds. */
  cpuMs(): number;
  nowMs(): number;
  /** Collects all garbage, and returns free pages to the system. Blocks for some 30 ms with a server's usual heap. */
  collect(): void;
}

/**
 * Gives back what work left behind, once it is over.
 *
 * V8 collects when it needs room: after a burst it keeps tens of megabytes of garbage and of free pages for as long as
 * nothing happens, as nothing makes it look. At most every 20 seconds, and never while there is work.
 */
export class IdleMemory {
  readonly #ports: IdleMemoryPorts;
  readonly #options: IdleMemoryOptions;
  #cpuMs: number;
  #collectedMs = -Infinity;
  #lookedMs: number;
  /** Starting was work. */
  #hasWorked = true;

  constructor(ports: IdleMemoryPorts, options: Partial<IdleMemoryOptions> = {}) {
    this.#ports = ports;
    this.#options = { ...defaults, ...options };
    this.#cpuMs = ports.cpuMs();
    this.#lookedMs = ports.nowMs();
  }

  /** Looks after this process from now on, where it was started with `--expose-gc`; elsewhere does nothing. */
  static start(): void {
    const { gc } = globalThis;
    if (gc === undefined) return;
    const memory = new IdleMemory({
      cpuMs() {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1000;
      },
      nowMs: () => performance.now(),
      // The usual flavour keeps the pages that it has emptied.
      collect: () => gc({ type: "major", execution: "sync", flavor: "last-resort" }),
    });
    setInterval(() => memory.look(), defaults.lookMs).unref();
  }

  /** Call it every `lookMs`. */
  look(): void {
    const ports = this.#ports;
    const { busyShare, restMs } = this.#options;
    const nowMs = ports.nowMs();
    const cpuMs = ports.cpuMs();
    const isBusy = cpuMs - this.#cpuMs > (nowMs - this.#lookedMs) * busyShare;
    this.#cpuMs = cpuMs;
    this.#lookedMs = nowMs;
    if (isBusy) this.#hasWorked = true;
    else if (this.#hasWorked && nowMs - this.#collectedMs >= restMs) {
      ports.collect();
      this.#hasWorked = false;
      this.#collectedMs = nowMs;
      // What it took is no work.
      this.#cpuMs = ports.cpuMs();
    }
  }
}
