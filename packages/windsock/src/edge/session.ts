import { closeCode, fitCloseReason } from "../protocol/close-code.ts";
import type { Frame } from "../protocol/frame.ts";
import type { ComeBack, Payload, RequestData, ResumeData } from "../protocol/port.ts";
import { EnvelopeError } from "../protocol/v1/index.ts";
import {
  addChannel,
  allOf,
  Channel,
  channelAt,
  countOf,
  removeChannel,
  type Channels,
} from "./channel.ts";
import { readEnvelope, type JoinOptions, type Listener } from "./envelope-reader.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Inflow, type InflowOwner } from "./inflow.ts";
import type { Member } from "./member.ts";
import type { JoinAnswer } from "./questions.ts";
import { Renewals } from "./renewals.ts";
import type { ChannelAdmission, SessionHost } from "./session-host.ts";
import { EnvelopeSpeech } from "./speech.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import type { ChannelCall } from "./uplink.ts";
import { envelopeOf } from "./voice.ts";

/** A message as it came. */
interface Raw {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

const idlePositionMs = 30_000;

/**
 * One socket of `windsock.v1`, and the channels on it.
 *
 * ```
 *   open ──────────────────► closing ──► over
 *     └──── socket breaks ────────────────▲     each joined membership then has its grace
 * ```
 */
export class Session implements TransportEvents, InflowOwner<Raw>, Listener {
  readonly sessionId: string;
  /** Sockets that opened later have higher ones. */
  readonly number: number;
  readonly #host: SessionHost;
  readonly #request: RequestData;
  readonly transport: Transport;
  /** Credit bounds what waits for a service. */
  get feed(): undefined {
    return undefined;
  }
  /** Most clients join and then listen: their first message needs none. */
  #inflow: Inflow<Raw> | undefined;
  #hasSpoken = false;
  #channels: Channels;
  readonly #heartbeat: Heartbeat;
  #lastChannel = 0;
  #isOver = false;
  /** Bytes of its own answers that were written since the socket took no more. */
  #unread = 0;
  #toldAt: number;

  constructor(
    host: SessionHost,
    transport: Transport,
    request: RequestData,
    sessionId: string,
    number: number,
  ) {
    this.#host = host;
    this.number = number;
    this.transport = transport;
    this.#request = request;
    this.sessionId = sessionId;
    this.#heartbeat = new Heartbeat(host.coarseNow);
    this.#toldAt = host.coarseNow;
  }

  /** The voices of its other channels with this service or key. */
  voicesInUse(address: string): ReadonlySet<unknown> | undefined {
    if (!(this.#channels instanceof Map)) return undefined;
    const voices = new Set<unknown>();
    for (const { member } of this.#channels.values())
      if (member?.feed.address === address) voices.add(member.speech.voice.base);
    return voices;
  }

  // ---------- in ----------

  message(data: Buffer, isBinary: boolean): void {
    if (this.#heartbeat.isClosing) return;
    if (!this.#hasSpoken) {
      this.#hasSpoken = true;
      this.#take(data, isBinary);
      return;
    }
    this.#inflow ??= new Inflow(this, this.#host, 1);
    if (this.#inflow.passes()) this.#take(data, isBinary);
    else this.#inflow.hold({ data, isBinary });
  }

  /** A message that was held back. */
  incoming({ data, isBinary }: Raw): void {
    if (!this.#heartbeat.isClosing) this.#take(data, isBinary);
  }

  #take(data: Buffer, isBinary: boolean): void {
    try {
      readEnvelope(data, isBinary, this);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      this.shut(closeCode.protocolError, error.message);
    }
  }

  // ---------- envelopes ----------

  send(channel: number, n: number, payload: Payload, length: number): void {
    const member = this.#joined(channel);
    if (member === undefined || this.#isTooBig(member, n, length)) return;
    this.#host.uplink.message(member, n, length, payload);
  }

  call(channel: number, call: ChannelCall): void {
    const member = this.#joined(channel);
    if (member === undefined || this.#isTooBig(member, call.n, call.wireBytes)) return;
    this.#host.uplink.call(member, call);
  }

  cancel(channel: number, n: number): void {
    const member = this.#joined(channel);
    if (member !== undefined) this.#host.uplink.cancel(member, n);
  }

  acked(channel: number, count: number): void {
    const member = this.#joined(channel);
    if (member !== undefined) this.#host.uplink.acked(member, count);
  }

  pinged(payload: unknown): void {
    this.#write(envelopeOf(["pong"], payload));
  }

  #isTooBig(member: Member, n: number, length: number): boolean {
    const { maxPayloadBytes } = this.#host.limits;
    if (length <= maxPayloadBytes) return false;
    const message = `Expected a message of at most ${maxPayloadBytes} bytes (\`maxPayloadBytes\`), envelope included, got ${length}.`;
    const nothing: Payload = { kind: "json", bytes: new Uint8Array() };
    this.#host.uplink.message(member, n, length, nothing, { code: "too_big", message });
    return true;
  }

  /** A channel that is not there has ended: what was on its way for it is late, and means nothing. */
  #joined(number: number): Member | undefined {
    const channel = channelAt(this.#channels, number);
    if (channel === undefined && number > this.#lastChannel)
      throw new EnvelopeError(`Expected a channel that was joined, got ${number}.`);
    if (channel !== undefined && channel.member?.hasJoined !== true)
      throw new EnvelopeError(
        `Expected nothing but \`leave\` on channel ${number} before its \`joined\`, got something else.`,
      );
    return channel?.member;
  }

  // ---------- channels ----------

  join(number: number, path: string, { resume, auth }: JoinOptions): void {
    if (number <= this.#lastChannel)
      throw new EnvelopeError(
        `Expected a channel above ${this.#lastChannel}: each join takes a higher one, got ${number}.`,
      );
    this.#lastChannel = number;
    const { maxChannels } = this.#host.limits;
    if (countOf(this.#channels) >= maxChannels) {
      const message = `Expected at most ${maxChannels} channels on a socket (\`maxChannels\`), got one more. Leave one first.`;
      this.#refuse(number, "overloaded", message, { retryAfterMs: 0 });
      return;
    }
    const channel = new Channel(this, number, path);
    this.#channels = addChannel(this.#channels, channel);
    const data = resume === undefined ? undefined : { ...resume, tails: resume.tails ?? {} };
    const admission = this.#host.admitChannel(this.#request, path, auth);
    if (admission instanceof Promise)
      void admission.then((decided) => this.#admitted(channel, decided, data));
    else this.#admitted(channel, admission, data);
  }

  #admitted(channel: Channel, admission: ChannelAdmission, resume: ResumeData | undefined): void {
    const { number } = channel;
    if (!this.#has(channel)) return;
    if (admission.type === "admit") {
      channel.member = this.#host.openChannel(this, channel, admission, resume);
      return;
    }
    this.forget(number);
    this.#refuse(number, admission.code, admission.message, { status: admission.status });
  }

  /** It may have ended while its admission was decided. */
  #has(channel: Channel): boolean {
    return !this.#isOver && channelAt(this.#channels, channel.number) === channel;
  }

  /** Whether the actor's side takes it. */
  answered({ number }: Channel, answer: JoinAnswer): void {
    if (answer.type !== "refused") return;
    const { code, reason, retryAfterMs } = answer;
    this.forget(number);
    this.#refuse(number, code, reason, { retryAfterMs });
  }

  #refuse(
    channel: number,
    code: string,
    message: string,
    detail: Readonly<Record<string, unknown>>,
  ): void {
    this.#write(envelopeOf(["error", channel, 0, code, message], detail));
  }

  leave(channel: number): void {
    const member = channelAt(this.#channels, channel)?.member;
    this.forget(channel);
    member?.cut({ type: "closed", code: closeCode.normal, reason: "left" });
  }

  /** A channel ends without a word. */
  forget(number: number): void {
    this.#channels = removeChannel(this.#channels, number);
  }

  /** A channel ends, and the socket stays. */
  closeChannel(number: number, code: number, reason: string, comeBack: ComeBack | undefined): void {
    if (channelAt(this.#channels, number) === undefined) return;
    this.forget(number);
    this.#write(
      envelopeOf(["closed", number, code, fitCloseReason(reason)], comeBack ?? comeBackOf(code)),
    );
  }

  reauthorize(number: number, auth: unknown): void {
    const member = this.#joined(number);
    const channel = channelAt(this.#channels, number);
    if (member === undefined || channel === undefined) return;
    channel.renewals ??= new Renewals(
      (token) => this.#host.admitChannel(this.#request, channel.path, token),
      (admission) => this.#reauthorized(channel, member, admission),
    );
    channel.renewals.take(auth);
  }

  #reauthorized(channel: Channel, member: Member, admission: ChannelAdmission): void {
    if (!this.#has(channel)) return;
    if (admission.type === "admit") {
      this.#host.uplink.reauthorized(member, admission.user);
      return;
    }
    const { code, message, status } = admission;
    this.#refuse(channel.number, code, message, { status });
  }

  // ---------- life ----------

  writable(): void {
    for (const { member } of allOf(this.#channels)) member?.writable();
  }

  closed(): void {
    this.#end();
  }

  /** The server stops soon. */
  drain(windowMs: number): void {
    this.#write(envelopeOf(["draining"], windowMs));
  }

  /** Closes behind what was written. */
  shut(code: number, reason: string): void {
    if (this.#heartbeat.isClosing) return;
    this.#heartbeat.closes(this.#host.now());
    this.transport.close(code, fitCloseReason(reason));
  }

  /** Ends at once. */
  cut(): void {
    this.#end();
    this.transport.destroy();
  }

  sweep(now: number): void {
    const isHeld = this.#inflow?.isHolding === true;
    if (this.#heartbeat.beat(now, this.transport, this.#host.limits, isHeld) !== undefined) {
      this.cut();
      return;
    }
    if (this.#heartbeat.isClosing) return;
    if (now - this.#toldAt >= idlePositionMs) {
      this.#toldAt = now;
      this.#tellPositions();
    }
  }

  /** So that a client which received nothing can still resume. */
  #tellPositions(): void {
    if (!this.transport.isWritable) return;
    for (const channel of allOf(this.#channels)) {
      const place = channel.member?.place;
      if (place === undefined || (place.seq === channel.atSeq && place.count === channel.atCount))
        continue;
      channel.atSeq = place.seq;
      channel.atCount = place.count;
      const { speech } = channel.member ?? {};
      if (speech instanceof EnvelopeSpeech) this.#write(speech.at(place.seq, place.count));
    }
  }

  /** Each membership stays for its grace. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#heartbeat.closes(0);
    this.#inflow?.clear();
    for (const { member } of allOf(this.#channels)) member?.dropped();
    this.#channels = undefined;
    this.#host.sessionOver(this);
  }

  /** What it answers itself waits in no queue: who asks and does not read is closed at the bound of one. */
  #write(frame: Frame): void {
    if (this.#isOver) return;
    this.#unread = this.transport.isWritable ? 0 : this.#unread + frame.byteLength;
    this.transport.write(frame.single());
    if (this.#unread > this.#host.limits.maxSendQueueBytes)
      this.shut(closeCode.tryAgainLater, "it asks for more than it reads");
  }
}

/** What a close code alone says (docs/reference/protocol.md, section 8). */
function comeBackOf(code: number): ComeBack {
  const isTemporary =
    code === 1001 || (code >= 1011 && code <= 1013) || (code >= 4000 && code < 4500);
  return isTemporary ? "retry" : "end";
}
