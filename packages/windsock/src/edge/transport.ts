/**
 * One connection, as the edge sees it. Written to by the session that owns it, in
 * whole frames only; what arrives goes to the session's handlers, one call a message.
 *
 * Implementations MUST NOT call the session from within `write`, `close` or `destroy`.
 */
export interface Transport {
  /** What it writes to: itself, or the transport that it is a share of. */
  readonly wire: Transport;
  /** Whether a write would be taken without piling up. When it is false, `writable` is called once it is true again. */
  readonly isWritable: boolean;
  /** Whether frames with a compressed payload may be written (RFC 7692 was agreed on). */
  readonly isDeflated: boolean;
  /** Bytes written and not yet taken by the system. */
  readonly bufferedBytes: number;
  /** Bytes that the system has taken since the connection began: does a slow one still move? */
  readonly takenBytes: number;
  /** Bytes that have arrived since the connection began: is the other side still there? */
  readonly readBytes: number;
  /** One or more whole frames. */
  write(frames: Buffer): void;
  /** Gathers the writes up to `uncork` into one. */
  cork(): void;
  uncork(): void;
  /** Begins the closing handshake (RFC 6455, section 7.1.2) behind what was written. */
  close(code: number, reason: string): void;
  /** Ends the connection now. */
  destroy(): void;
  ping(): void;
  /** Stops reading; the peer is held back by TCP. What was read already still arrives. */
  pause(): void;
  resume(): void;
}

/** What a transport calls. Each on the session that it was given. */
export interface TransportEvents {
  message(data: Buffer, isBinary: boolean): void;
  writable(): void;
  /** The connection is over: with a code if a close frame came, else without. Called once. */
  closed(code: number | undefined, reason: string): void;
}
