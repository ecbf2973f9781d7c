import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import type { ClientPorts, ClientSocket } from "../../src/client/index.ts";
import type { ServerFigures } from "./durable-server.ts";
import { SeededRandom } from "./random.ts";
import { ServerProcess } from "./server-process.ts";
import { TestClient, type Seen, type TestChannel } from "./test-client.ts";

/** How the crowd came back, and how the server took it. */
export interface CrowdFigures extends ServerFigures {
  /** From the moment in which all was lost until everybody had everything. */
  readonly backMs: number;
  /** How many were told so. */
  readonly clients: number;
}

export interface CrowdResult {
  readonly faults: readonly string[];
  /** By what had happened. */
  readonly figures: Readonly<Record<string, Partial<CrowdFigures>>>;
}

const token = "0123456789abcdef";
const perAddress = 1000;
/** Who was refused for a while, or away for long, was told: no fault, as long as nothing is missing. */
const mayBeTold: readonly string[] = [
  "WINDSOCK_OVERLOADED",
  "WINDSOCK_DOWN",
  "WINDSOCK_UNREACHABLE",
];

/** Many clients lose their connections at once, and then their server (`kill -9`). They come back at once, and lack nothing. */
export async function crowdRun(clients: number, seed: number): Promise<CrowdResult> {
  const crowd = new Crowd(clients, seed);
  try {
    return await crowd.run();
  } finally {
    await crowd.end();
  }
}

class Crowd {
  readonly #seed: number;
  readonly #server = new ServerProcess();
  readonly #clients: TestClient[];
  readonly #channels: TestChannel[] = [];
  readonly #sockets = new Set<WebSocket>();

  constructor(count: number, seed: number) {
    this.#seed = seed;
    const random = new SeededRandom(seed);
    this.#clients = Array.from({ length: count }, (_, index) => {
      const speed = count > 2000 ? 1 : 4;
      return new TestClient({ random: random.next, speed, WebSocket: this.#socketOf(index) });
    });
  }

  async run(): Promise<CrowdResult> {
    const server = this.#server;
    const figures: Record<string, Partial<CrowdFigures>> = {};
    await server.start();
    await this.#join();
    figures["have joined"] = await server.figures();
    await this.#publish("first");
    await this.#all(hasSeen("first"), "have the first message");

    await server.figures();
    let began = performance.now();
    for (const socket of this.#sockets) socket.terminate();
    await this.#publish("while cut off");
    await this.#back("second");
    figures["were cut off"] = { backMs: since(began), ...(await server.figures()) };

    await server.end("SIGKILL");
    await server.start();
    began = performance.now();
    await this.#publish("while dead");
    await this.#back("third");
    figures["lost their server"] = { backMs: since(began), ...(await server.figures()) };

    for (const code of this.#channels.flatMap(({ seen }) => seen.map(errorOf)))
      if (code !== undefined) figures[code] = { clients: (figures[code]?.clients ?? 0) + 1 };
    const due = ["first", "while cut off", "second", "restarted", "while dead", "third"];
    return { faults: this.#faults(due), figures };
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#server.remove();
  }

  async #join(): Promise<void> {
    for (const client of this.#clients) {
      this.#channels.push(client.connect("news", this.#server.url));
      // As many as a listening socket lets wait.
      if (this.#channels.length % 200 === 0) await this.#all(isOpen, "have joined");
    }
    await this.#all(isOpen, "have joined");
  }

  /** Everybody is, and gets one message more. */
  async #back(message: string): Promise<void> {
    await this.#all(isOpen, "are back");
    await this.#publish(message);
    await this.#all(hasSeen(message), `have the ${message} message`);
  }

  #faults(due: readonly string[]): string[] {
    return this.#channels.flatMap(({ seen }, index) => {
      const shown = seen
        .filter(({ type }) => type !== "resumed" && type !== "error")
        .map((one) => (one.type === "published" ? one.message : one.type));
      const isRight = JSON.stringify(shown) === JSON.stringify(due);
      const errors = seen.map(errorOf).filter((code) => code !== undefined);
      const wrong = errors.filter((code) => !mayBeTold.includes(code));
      return [
        ...(isRight ? [] : [`client ${index} has ${JSON.stringify(shown)}`]),
        ...wrong.map((code) => `client ${index} was told ${code}`),
      ];
    });
  }

  /** Until it is taken: an answer that is no yes means that it was not. */
  async #publish(text: string): Promise<void> {
    for (;;) {
      const { ok } = await fetch(`${this.#server.url}/websocket/news`, {
        method: "POST",
        body: text,
        headers: { authorization: `Bearer ${token}` },
      });
      if (ok) return;
      await sleep(200);
    }
  }

  async #all(isSo: (channel: TestChannel) => boolean, what: string): Promise<void> {
    const deadline = performance.now() + 60_000 + this.#clients.length * 20;
    while (!this.#channels.every(isSo)) {
      if (performance.now() > deadline) {
        const left = this.#channels.filter((one) => !isSo(one));
        throw new Error(
          `Expected that all ${what}, got ${left.length} left, one ${JSON.stringify(left[0]?.channel.state)} ${JSON.stringify(left[0]?.seen.slice(-3))} (seed ${this.#seed}). ${this.#server.stderr.slice(0, 2000)}`,
        );
      }
      await sleep(20);
    }
  }

  /** Real sockets, of several addresses, which can be cut. */
  #socketOf(index: number): ClientPorts["WebSocket"] {
    const localAddress = `127.0.0.${1 + Math.floor(index / perAddress)}`;
    const sockets = this.#sockets;
    return function open(url: string, protocol: string): ClientSocket {
      const socket = new WebSocket(url, protocol, { localAddress, perMessageDeflate: false });
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      // `close` follows.
      socket.on("error", () => {});
      return socket as unknown as ClientSocket;
    } as unknown as ClientPorts["WebSocket"];
  }
}

function errorOf(one: Seen): string | undefined {
  return one.type === "error" ? one.code : undefined;
}

function isOpen({ channel }: TestChannel): boolean {
  return channel.state.type === "open";
}

function hasSeen(message: string): (channel: TestChannel) => boolean {
  return ({ seen }) => seen.some((one) => one.type === "published" && one.message === message);
}

function since(began: number): number {
  return Math.round(performance.now() - began);
}
