import { connect, type Socket } from "node:net";
import type { Dialect } from "../commands.ts";
import { findFrame } from "../server-frame.ts";
import { maskedFrame } from "./client-frame.ts";
import { handshakeOf, type Handshake } from "./handshake.ts";
import { Receiver } from "./receiver.ts";
import type { Stream } from "./stream.ts";

/** What a connection tells. */
export interface ConnectionEvents {
  opened(connection: Connection): void;
  /** It could not be opened, or ended. */
  ended(connection: Connection, why: string): void;
  /** Something was read: messages from `before` up to `receiver.next` are new. */
  received(connection: Connection, before: number): void;
  /** How many messages this connection should have by now. */
  sentTo(connection: Connection): number;
}

export interface ConnectionOptions {
  readonly number: number;
  readonly port: number;
  readonly dialect: Dialect;
  readonly localAddress: string | undefined;
  readonly events: ConnectionEvents;
}

/** All sockets read into one buffer: what was read is looked at before the next read. */
const readBuffer = Buffer.allocUnsafe(256 * 1024);

/** One client: a socket, a handshake, and a receiver while a phase runs. */
export class Connection {
  readonly number: number;
  receiver: Receiver | undefined;
  /** Echo: how many messages it has sent, and when the last one left. */
  sent = 0;
  sentAt = 0;
  #state: "shaking" | "greeting" | "open" | "over" = "shaking";
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  #handshake: Handshake | undefined;
  #head = "";

  constructor({ number, port, dialect, localAddress, events }: ConnectionOptions) {
    this.number = number;
    this.#events = events;
    this.#handshake = handshakeOf(number, port, dialect);
    this.#socket = connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          this.#read(length, dialect);
          return true;
        },
      },
    });
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("the server closed it"));
    this.#socket.write(this.#handshake.request);
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** A phase begins: this is what comes. */
  expect(stream: Stream): void {
    this.sent = 0;
    this.receiver = new Receiver(stream, (opcode, payload) => this.#control(opcode, payload));
  }

  write(frames: Buffer): void {
    this.#socket.write(frames);
  }

  close(): void {
    this.#state = "over";
    this.#socket.destroy();
  }

  #read(length: number, dialect: Dialect): void {
    const { receiver } = this;
    if (this.#state !== "open") {
      this.#greet(readBuffer.toString("latin1", 0, length), dialect);
      return;
    }
    if (receiver === undefined) {
      this.#between(Buffer.from(readBuffer.subarray(0, length)));
      return;
    }
    const before = receiver.next;
    receiver.take(readBuffer, length, this.#events.sentTo(this));
    this.#events.received(this, before);
  }

  /** The answer to the handshake; for Socket.IO, also the packets that open a session. */
  #greet(text: string, dialect: Dialect): void {
    this.#head += text;
    if (this.#state === "shaking") {
      const end = this.#head.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = this.#head.slice(0, end);
      if (!head.startsWith("HTTP/1.1 101 ") || !head.includes(this.#handshake?.accept ?? "-")) {
        this.#end(`refused: ${head.split("\r\n", 1)[0] ?? ""}`);
        this.#socket.destroy();
        return;
      }
      this.#head = this.#head.slice(end + 4);
      this.#handshake = undefined;
      this.#state = dialect.isEngineIo ? "greeting" : "open";
    }
    if (this.#state === "greeting") {
      let rest = Buffer.from(this.#head, "latin1");
      for (let frame = findFrame(rest); frame !== undefined; frame = findFrame(rest)) {
        rest = rest.subarray(frame.length);
        const packet = frame.payload.toString("latin1");
        if (packet.startsWith("0")) this.write(maskedFrame("40"));
        else if (packet.startsWith("40")) this.#state = "open";
      }
      this.#head = rest.toString("latin1");
    }
    if (this.#state === "open") {
      this.#head = "";
      this.#events.opened(this);
    }
  }

  /** Between phases only heartbeats come, each in one piece. */
  #between(bytes: Buffer): void {
    let rest = bytes;
    for (let frame = findFrame(rest); frame !== undefined; frame = findFrame(rest)) {
      rest = rest.subarray(frame.length);
      this.#control(frame.opcode, frame.payload);
    }
  }

  #control(opcode: number, payload: Buffer): void {
    if (opcode === 9) this.write(maskedFrame(payload, 10));
    else if (opcode === 1 && payload.toString("latin1") === "2") this.write(maskedFrame("3"));
  }

  #end(why: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#events.ended(this, why);
  }
}
