import type { Duplex } from "node:stream";
import type { Transport, TransportEvents } from "../edge/transport.ts";
import { closeCode } from "../protocol/close-code.ts";
import { closeFrame, pingFrame, pongFrames } from "../protocol/control-frame.ts";
import type { AddressCount, Connections } from "./connections.ts";
import { FrameDecoder, type DecoderLimits, type FrameHandler } from "./frame-decoder.ts";
import { own, tellDrain, type SocketOwner } from "./socket-owner.ts";
import type { TimeoutQueue } from "./timeout-queue.ts";

/** What all connections of a kind have in common. */
export interface TransportShare {
  readonly limits: DecoderLimits;
  readonly connections: Connections;
  readonly closeTimeouts: TimeoutQueue<SocketTransport>;
}

/** What a socket of `node:net` knows of itself. */
type Wire = Duplex & { readonly bytesWritten?: number };

/** Rounds of the event loop: one in which the actor may pause, one for the flush, and then the close frame. */
const roundsBeforeClose = 3;
/** The same before an answer leaves alone: one in which the actor takes the join, and the flush is in the next at the latest. */
const roundsBeforeAnswer = 1;

/**
 * A WebSocket on the socket of its upgrade, after the 101.
 *
 * ```
 *   open ──► leaving ──► said ──► the socket ends
 *     │  close(), a close frame,     │
 *     │  a fault, the peer's end     └ waits for the peer's close frame, or its end:
 *     └──────── destroyed                `closeTimeouts` bounds both
 * ```
 *
 * While it is leaving, what the service says to the messages of the same read may still leave
 * (ADR 0017); once the close frame is said, nothing follows (RFC 6455, section 5.5.1).
 */
export class SocketTransport implements Transport, FrameHandler, SocketOwner {
  // First what a broadcast touches: it is memory that no cache holds, for each of thousands.
  readonly #socket: Wire;
  #state: "open" | "leaving" | "said" = "open";
  /** It took the last write and wants no other until it has drained. */
  #isFull = false;
  /** Some of what was written may still wait. A sweep over thousands of silent sockets then leaves them alone. */
  #mayBuffer = false;
  /** The 101, while it waits for the first frames. */
  #answer: string | undefined;

  readonly #share: TransportShare;
  #events: TransportEvents | undefined;
  #of: AddressCount | undefined;
  /** Most clients only listen: it is made when one speaks. */
  #decoder: FrameDecoder | undefined;
  /** The close frame to be said; none where the peer has ended without one. */
  #farewell: Buffer | undefined;
  /** The peer has said its last word. */
  #isPeerDone = false;
  /** With what it closed, or had to be closed. */
  #code: number | undefined;
  #reason = "";
  /** Payloads of pings that were not answered yet: those of the read that goes on, or the last one while the socket is full. */
  #pings: Buffer[] | undefined;
  #hasDrainListener = false;
  #readBytes = 0;

  constructor(socket: Duplex, share: TransportShare) {
    this.#socket = socket;
    this.#share = share;
  }

  /** From here on the socket is read, and what happens goes to these handlers. `rest`: what was read of it already. */
  bind(events: TransportEvents, of: AddressCount, rest: Buffer): void {
    const socket = this.#socket;
    this.#events = events;
    this.#of = of;
    own(socket, this);
    // Ahead of all that the socket has or gets.
    if (rest.length > 0) process.nextTick(readRest, this, rest);
    socket.resume();
  }

  // ---------- out ----------

  /** The 101. Where frames may follow it at once, it waits for them, and leaves in one write with the first. */
  answer(text: string, isJoining: boolean): void {
    if (isJoining) {
      this.#answer = text;
      setImmediate(answerAfter, this, roundsBeforeAnswer);
    } else this.#socket.write(text, "latin1");
  }

  answerAlone(): void {
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer !== undefined && this.#socket.writable) this.#socket.write(answer, "latin1");
  }

  get wire(): this {
    return this;
  }

  get isWritable(): boolean {
    // What the socket says itself costs a look at its state, for each of thousands: `write` has that.
    return this.#state !== "said" && !this.#isFull;
  }

  get isDeflated(): boolean {
    return this.#share.limits.inflation !== undefined;
  }

  get bufferedBytes(): number {
    if (!this.#mayBuffer) return 0;
    const waiting = this.#socket.writableLength;
    this.#mayBuffer = waiting > 0;
    return waiting;
  }

  get takenBytes(): number {
    return (this.#socket.bytesWritten ?? 0) - this.bufferedBytes;
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  write(frames: Buffer): void {
    const socket = this.#socket;
    if (this.#state === "said" || !socket.writable) return;
    this.#mayBuffer = true;
    if (socket.write(this.#answer === undefined ? frames : this.#answered(frames))) return;
    this.#isFull = true;
    if (this.#hasDrainListener) return;
    this.#hasDrainListener = true;
    tellDrain(socket);
  }

  #answered(frames: Buffer): Buffer {
    const answer = Buffer.from(this.#answer ?? "", "latin1");
    this.#answer = undefined;
    return Buffer.concat([answer, frames]);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  ping(): void {
    this.write(pingFrame);
  }

  close(code: number, reason: string): void {
    this.#leave(closeFrame(code, reason));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  // ---------- in ----------

  read(chunk: Buffer): void {
    this.#readBytes += chunk.length;
    this.#decoder ??= new FrameDecoder(this, this.#share.limits);
    this.#decoder.push(chunk);
    if (this.#pings !== undefined) this.#pong();
  }

  handleMessage(data: Buffer, isBinary: boolean): void {
    this.#events?.message(data, isBinary);
  }

  handlePing(payload: Buffer): void {
    this.#pings ??= [];
    this.#pings.push(payload);
  }

  /** Pings of one read are answered in one write. While the socket takes none, only the last one waits (RFC 6455, section 5.5.3). */
  #pong(): void {
    const pings = this.#pings ?? [];
    if (this.#socket.writableNeedDrain) {
      const last = pings.at(-1);
      if (last !== undefined) this.#pings = [Buffer.from(last)];
      return;
    }
    this.#pings = undefined;
    this.write(pongFrames(pings));
  }

  handleClose(code: number, reason: Buffer): void {
    this.#code = code;
    this.#reason = reason.toString("utf8");
    this.#leave(code === closeCode.noStatus ? closeFrame() : closeFrame(code, reason));
    this.#peerDone();
  }

  handleFault(code: number, reason: string): void {
    this.#code = code;
    this.#reason = reason;
    this.#leave(closeFrame(code));
    this.#peerDone();
  }

  // ---------- life ----------

  /** The socket takes more. */
  drained(): void {
    this.#isFull = false;
    if (this.#pings !== undefined) this.#pong();
    this.#events?.writable();
  }

  /** Nothing more comes from the peer. */
  ended(): void {
    this.#leave(undefined);
    if (!this.#socket.allowHalfOpen) this.say();
    this.#peerDone();
  }

  /** The socket is no more. */
  closed(): void {
    const { closeTimeouts, connections } = this.#share;
    closeTimeouts.delete(this);
    this.#state = "said";
    if (this.#of !== undefined) connections.close(this.#of);
    this.#of = undefined;
    const events = this.#events;
    this.#events = undefined;
    events?.closed(this.#code, this.#reason);
  }

  /** The first to close says how. */
  #leave(farewell: Buffer | undefined): void {
    if (this.#state !== "open") return;
    this.#state = "leaving";
    this.#farewell = farewell;
    this.#share.closeTimeouts.add(this);
    setImmediate(sayAfter, this, roundsBeforeClose);
  }

  say(): void {
    const socket = this.#socket;
    if (this.#state !== "leaving") return;
    if (this.#farewell !== undefined && socket.writable) socket.write(this.#farewell);
    this.#farewell = undefined;
    this.#state = "said";
    if (this.#isPeerDone) socket.end();
  }

  /** What it sends from here on is not read, up to its end. */
  #peerDone(): void {
    this.#isPeerDone = true;
    // Paused, we would never see that end.
    this.#socket.resume();
    if (this.#state === "said") this.#socket.end();
  }
}

function sayAfter(transport: SocketTransport, rounds: number): void {
  if (rounds === 0) transport.say();
  else setImmediate(sayAfter, transport, rounds - 1);
}

function answerAfter(transport: SocketTransport, rounds: number): void {
  if (rounds === 0) transport.answerAlone();
  else setImmediate(answerAfter, transport, rounds - 1);
}

function readRest(transport: SocketTransport, rest: Buffer): void {
  transport.read(rest);
}
