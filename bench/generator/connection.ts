import { connect, type Socket } from "node:net";
import type { Dialect, Pace } from "../commands.ts";
import { findFrame } from "../server-frame.ts";
import type { Order } from "../workload.ts";
import { maskedFrame, payloadLengthOf } from "./client-frame.ts";
import { Delivery, readJoined } from "./delivery.ts";
import type { FrameSequence } from "./frame-sequence.ts";
import { handshakeOf, type Handshake } from "./handshake.ts";
import { Receiver } from "./receiver.ts";
import type { Incoming, Stream } from "./stream.ts";

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
  readonly pace: Pace;
  readonly localAddress: string | undefined;
  readonly events: ConnectionEvents;
}

/** All sockets read into one buffer: what was read is looked at before the next read. */
const readBuffer = Buffer.allocUnsafe(256 * 1024);
/** What one that is slow reads a second. */
export const slowBytesPerSecond: number = 10 * 1024;
const slowBuffer = Buffer.allocUnsafe(slowBytesPerSecond);

/** One client: a socket, a handshake, and a receiver while a phase runs. */
export class Connection {
  readonly number: number;
  readonly pace: Pace;
  receiver: Receiver | undefined;
  /** How many messages it has sent in this phase, and when the last one left. */
  sent = 0;
  sentAt = 0;
  /** Of `windsock.v1`, once it has joined. */
  delivery: Delivery | undefined;
  #state: "shaking" | "greeting" | "open" | "over" = "shaking";
  /** It reads one buffer, and then not until it is told. */
  #isHeld = false;
  /** The number of the phase's first message, in what it sends. */
  #base = 0;
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  #handshake: Handshake | undefined;
  #head = "";

  constructor({ number, port, dialect, pace, localAddress, events }: ConnectionOptions) {
    this.number = number;
    this.pace = pace;
    this.#events = events;
    this.#handshake = handshakeOf(number, port, dialect);
    const buffer = pace === "fast" ? readBuffer : slowBuffer;
    this.#socket = connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
      onread: {
        buffer,
        callback: (length) => {
          this.#read(buffer, length, dialect);
          return !this.#isHeld;
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
  expectBroadcasts(incoming: Incoming): void {
    this.#expect(incoming, 0);
  }

  /** A phase begins: this is what comes, one for each `every` messages that it sends. */
  expectReplies(incoming: Incoming, every: number): void {
    this.#base = this.delivery?.n ?? 0;
    this.#expect(incoming, Math.floor(this.#base / every));
  }

  #expect(incoming: Incoming, first: number): void {
    this.sent = 0;
    this.receiver = new Receiver(
      incoming,
      (opcode, payload) => this.#aside(opcode, payload),
      first,
    );
  }

  // ---------- out ----------

  /** Sends the next messages of these. Gives how many of those up to there are answered, one of each `every`. */
  send(frames: FrameSequence, count: number, every: number): number {
    const first = this.#base + this.sent;
    const bytes = frames.slice(first, count);
    const answered = Math.floor((first + count) / every) - Math.floor(first / every);
    this.sent += count;
    this.sentAt = performance.now();
    // All of them have heads of 8 bytes: they are longer than 125.
    if (this.delivery === undefined) this.#socket.write(bytes);
    else this.delivery.send(bytes, count, bytes.length - 8 * count);
    return answered;
  }

  /** How many messages there are up to the next one that is answered. */
  untilAnswer(every: number): number {
    return every - ((this.#base + this.sent) % every);
  }

  /** Sends some orders, in one write. */
  order(stream: Stream, orders: readonly Order[]): void {
    const { delivery } = this;
    const frames = orders.map((order, index) =>
      stream.order(order, (delivery?.n ?? 0) + 1 + index),
    );
    const bytes = Buffer.concat(frames);
    if (delivery === undefined) this.#socket.write(bytes);
    else
      delivery.send(
        bytes,
        frames.length,
        frames.reduce((sum, frame) => sum + payloadLengthOf(frame), 0),
      );
  }

  close(): void {
    this.#state = "over";
    // By a reset: what lingers of 10,000 connections makes the kernel look for ports for longer than all else takes.
    this.#socket.resetAndDestroy();
  }

  // ---------- in ----------

  /** From here on it reads nothing, or as much as it is told. */
  hold(): void {
    this.#isHeld = true;
    this.#socket.pause();
  }

  /** Reads once what it reads in a second. */
  readSome(): void {
    this.#socket.resume();
  }

  /** Reads as fast as it can. */
  release(): void {
    this.#isHeld = false;
    this.#socket.resume();
  }

  #read(buffer: Buffer, length: number, dialect: Dialect): void {
    const { receiver } = this;
    if (this.#state !== "open") {
      this.#greet(buffer.toString("latin1", 0, length), dialect);
      return;
    }
    if (receiver === undefined) {
      this.#between(Buffer.from(buffer.subarray(0, length)));
      return;
    }
    const before = receiver.next;
    receiver.take(buffer, length, this.#events.sentTo(this));
    this.#events.received(this, before);
  }

  /** The answer to the handshake, and the packets that open a session or join a service. */
  #greet(text: string, dialect: Dialect): void {
    this.#head += text;
    if (this.#state === "shaking") {
      const end = this.#head.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = this.#head.slice(0, end);
      if (!head.startsWith("HTTP/1.1 101 ") || !head.includes(this.#handshake?.accept ?? "-")) {
        this.#refused(head.split("\r\n", 1)[0] ?? "");
        return;
      }
      this.#head = this.#head.slice(end + 4);
      this.#handshake = undefined;
      this.#state = dialect.kind === "plain" ? "open" : "greeting";
    }
    if (this.#state === "greeting") {
      let rest = Buffer.from(this.#head, "latin1");
      for (let frame = findFrame(rest); frame !== undefined; frame = findFrame(rest)) {
        rest = rest.subarray(frame.length);
        this.#greeting(frame.payload.toString("latin1"), dialect);
      }
      this.#head = rest.toString("latin1");
    }
    if (this.#state === "open") {
      this.#head = "";
      this.#events.opened(this);
    }
  }

  #greeting(packet: string, dialect: Dialect): void {
    if (dialect.kind === "engine-io") {
      if (packet.startsWith("0")) this.#socket.write(maskedFrame("40"));
      else if (packet.startsWith("40")) this.#state = "open";
      return;
    }
    const joined = readJoined(packet);
    if (joined === undefined) {
      this.#refused(packet);
      return;
    }
    this.delivery = new Delivery(joined, (frames) => this.#socket.write(frames));
    this.#state = "open";
  }

  #refused(what: string): void {
    this.#end(`refused: ${what}`);
    this.#socket.destroy();
  }

  /** Between phases no messages come, and each frame in one piece. */
  #between(bytes: Buffer): void {
    let rest = bytes;
    for (let frame = findFrame(rest); frame !== undefined; frame = findFrame(rest)) {
      rest = rest.subarray(frame.length);
      this.#aside(frame.opcode, frame.payload);
    }
  }

  #aside(opcode: number, payload: Buffer): void {
    if (opcode === 9) this.#socket.write(maskedFrame(payload, 10));
    else if (opcode !== 1) return;
    else if (this.delivery !== undefined) {
      // Nothing that it does is refused, and no service ends: the frame is none that it should get.
      if (!this.delivery.aside(payload) && this.receiver !== undefined)
        this.receiver.tally.damaged += 1;
    } else if (payload.toString("latin1") === "2") this.#socket.write(maskedFrame("3"));
  }

  #end(why: string): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#events.ended(this, why);
  }
}
