import type { Duplex } from "node:stream";

/** Who is told what happens on a socket. */
export interface SocketOwner {
  read(chunk: Buffer, socket: Duplex): void;
  /** The socket takes more, after `tellDrain`. */
  drained(socket: Duplex): void;
  /** The peer sends no more. */
  ended(socket: Duplex): void;
  closed(socket: Duplex): void;
}

const ownerOf: unique symbol = Symbol("owner");

/** A socket knows its owner, so that all sockets share their listeners, and a new owner needs none. */
type Owned = Duplex & { [ownerOf]?: SocketOwner | undefined };

/** From here on this owner is told, in place of the one before. */
export function own(socket: Owned, owner: SocketOwner): void {
  const isFirst = socket[ownerOf] === undefined;
  socket[ownerOf] = owner;
  if (!isFirst) return;
  socket.on("close", onClose);
  socket.on("error", onError);
  // Ahead of Node's own, which closes our side too where it may not stay open alone.
  socket.prependListener("end", onEnd);
  socket.on("data", onData);
}

const nobody: SocketOwner = { read() {}, drained() {}, ended() {}, closed() {} };

/** Nobody is told any more: what still comes is dropped, and an error does no harm. */
export function abandon(socket: Duplex): void {
  own(socket, nobody);
}

/** The socket is as it was before it had an owner. */
export function release(socket: Owned): void {
  socket[ownerOf] = undefined;
  socket.off("close", onClose);
  socket.off("error", onError);
  socket.off("end", onEnd);
  socket.off("data", onData);
}

/** Once for a socket that has been slow: most never are. */
export function tellDrain(socket: Owned): void {
  socket.on("drain", onDrain);
}

function onData(this: Owned, chunk: Buffer): void {
  this[ownerOf]?.read(chunk, this);
}

function onDrain(this: Owned): void {
  this[ownerOf]?.drained(this);
}

function onEnd(this: Owned): void {
  this[ownerOf]?.ended(this);
}

function onClose(this: Owned): void {
  this[ownerOf]?.closed(this);
}

/** `close` follows, and tells. */
function onError(this: Owned): void {}
