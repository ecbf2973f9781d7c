import type { ComeBack } from "../protocol/port.ts";
import type { Member } from "./member.ts";
import type { Renewals } from "./renewals.ts";
import type { Transport } from "./transport.ts";

/** The session that a channel is one of. */
export interface ChannelOwner {
  readonly transport: Transport;
  closeChannel(number: number, code: number, reason: string, comeBack: ComeBack | undefined): void;
  forget(number: number): void;
}

/**
 * One join on one socket, and its member's share of that socket: it writes as if it were alone.
 * What concerns the socket as a whole (its end, pausing, pings) is its session's.
 */
export class Channel implements Transport {
  readonly number: number;
  /** What follows `<base>/websocket/`, as the join named it. */
  readonly path: string;
  /** Undefined until it was admitted. */
  member: Member | undefined;
  /** Undefined: nothing was ever asked. */
  renewals: Renewals | undefined;
  /** The position that its client was told last. */
  atSeq = 0;
  atCount = 0;
  readonly #session: ChannelOwner;
  readonly #socket: Transport;

  constructor(session: ChannelOwner, number: number, path: string) {
    this.#session = session;
    this.#socket = session.transport;
    this.number = number;
    this.path = path;
  }

  get wire(): Transport {
    return this.#socket;
  }

  get isWritable(): boolean {
    return this.#socket.isWritable;
  }

  get isDeflated(): boolean {
    return this.#socket.isDeflated;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  get takenBytes(): number {
    return this.#socket.takenBytes;
  }

  get readBytes(): number {
    return this.#socket.readBytes;
  }

  write(frames: Buffer): void {
    this.#socket.write(frames);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** The channel alone. */
  close(code: number, reason: string, comeBack?: ComeBack): void {
    this.#session.closeChannel(this.number, code, reason, comeBack);
  }

  /** Without a word. */
  forget(): void {
    this.#session.forget(this.number);
  }

  destroy(): void {}

  ping(): void {}

  /** What one service cannot take yet must not hold up the others: credit bounds it. */
  pause(): void {}

  resume(): void {}
}

/**
 * The channels of a socket, by their numbers. Most have one, and a map for it would take
 * 200 bytes: so whoever adds or takes away keeps what comes back.
 */
export type Channels = Channel | Map<number, Channel> | undefined;

export function channelAt(channels: Channels, number: number): Channel | undefined {
  if (channels instanceof Channel) return channels.number === number ? channels : undefined;
  return channels?.get(number);
}

export function countOf(channels: Channels): number {
  if (channels === undefined) return 0;
  return channels instanceof Channel ? 1 : channels.size;
}

export function addChannel(channels: Channels, channel: Channel): Channels {
  if (channels === undefined) return channel;
  if (channels instanceof Map) return channels.set(channel.number, channel);
  return new Map([channels, channel].map((one) => [one.number, one]));
}

export function removeChannel(channels: Channels, number: number): Channels {
  if (channels instanceof Channel) return channels.number === number ? undefined : channels;
  channels?.delete(number);
  return channels;
}

/** In the order of their joins. A copy: what is done with them may remove some. */
export function allOf(channels: Channels): readonly Channel[] {
  if (channels === undefined) return [];
  return channels instanceof Channel ? [channels] : [...channels.values()];
}
