import { Frame, opcodeOf, type Deflate } from "../protocol/frame.ts";
import type { Membership, Payload, Private } from "../protocol/port.ts";
import {
  envelopeOf,
  frameOfPayload,
  asciiEnvelope,
  frontOf,
  DeflatingVoice,
  plainVoice,
  wrap,
  type EnvelopeVoice,
  type Front,
  type Voice,
} from "./voice.ts";

/** How one member is spoken to: what only it is told, and what all of its voice are. */
export interface Speech {
  readonly voice: Voice;
  /** The same without compression: what is said to several is built once. */
  readonly base: Speech;
  /** For who takes compressed frames: what is a message, or as large as one, is compressed. */
  readonly deflate: Deflate | undefined;
  /** Whether a gap can be told and filled. If not, it ends the connection. */
  readonly fillsGaps: boolean;
  /** A message for it alone. */
  privateFrame(item: Private): Frame;
  /** From here on it gets entries of this topic above `seq`. */
  subscribed(topic: string, seq: number): Frame | undefined;
  unsubscribed(topic: string): Frame | undefined;
  /** Everything that it sent up to `n` is disposed of. */
  done(n: number): Frame;
  /** Bytes that it may have sent in total. */
  credit(bytes: number): Frame;
  /** A part of a log of the app's, and the offset behind it. */
  tail(topic: string, offset: number, payload: Payload): Frame;
}

function nothing(): never {
  throw new TypeError("A plain client does not number what it sends.");
}

/** Frames are exactly what the service sent. */
export const plainSpeech: Speech = Object.freeze({
  voice: plainVoice,
  get base() {
    return plainSpeech;
  },
  deflate: undefined,
  fillsGaps: false,
  privateFrame: (item: Private): Frame => {
    // Replies and refusals are for those who number what they send.
    if (item.type !== "msg") throw new TypeError(`A plain client has no ${item.type}.`);
    return frameOfPayload(item.payload);
  },
  subscribed: () => undefined,
  unsubscribed: () => undefined,
  done: nothing,
  credit: nothing,
  tail: (_topic: string, _offset: number, payload: Payload) => frameOfPayload(payload),
});

/** The same for clients who take it compressed. */
export function deflatingPlainSpeech(deflate: Deflate): Speech {
  return Object.freeze({
    ...plainSpeech,
    voice: new DeflatingVoice(plainVoice, deflate),
    base: plainSpeech,
    deflate,
    tail: (topic: string, offset: number, payload: Payload) =>
      plainSpeech.tail(topic, offset, payload).deflated(deflate),
  });
}

/** Envelopes of `windsock.v1`, for one channel of a socket. */
export class EnvelopeSpeech implements Speech {
  readonly fillsGaps = true;
  readonly voice: Voice;
  readonly base: EnvelopeSpeech;
  readonly deflate: Deflate | undefined;
  readonly #channel: number;
  readonly #numbers: EnvelopeVoice;
  readonly #msg: Front;
  #deflating: EnvelopeSpeech | undefined;

  constructor(channel: number, voice: EnvelopeVoice, deflate?: Deflate, base?: EnvelopeSpeech) {
    this.#channel = channel;
    this.#msg = frontOf("msg", channel);
    this.#numbers = voice;
    this.voice = deflate === undefined ? voice : voice.deflating(deflate);
    this.deflate = deflate;
    this.base = base ?? this;
  }

  /** The one that says the same compressed. */
  deflating(deflate: Deflate): EnvelopeSpeech {
    return (this.#deflating ??= new EnvelopeSpeech(this.#channel, this.#numbers, deflate, this));
  }

  /** What may be as large as a message. */
  #large(frame: Frame): Frame {
    return this.deflate === undefined ? frame : frame.deflated(this.deflate);
  }

  privateFrame(item: Private): Frame {
    switch (item.type) {
      case "msg":
        return wrap(this.#msg, item.payload);
      case "reply":
        return wrap(frontOf("reply", this.#channel, item.n), item.payload);
      case "error": {
        const detail = item.retryAfterMs === undefined ? {} : { retryAfterMs: item.retryAfterMs };
        return envelopeOf(["error", this.#channel, item.n, item.code, item.message], detail);
      }
    }
  }

  subscribed(topic: string, seq: number): Frame {
    return envelopeOf(["log", this.#channel, this.#numbers.numberOf(topic), topic], seq);
  }

  unsubscribed(topic: string): Frame {
    return envelopeOf(["unlog", this.#channel], this.#numbers.numberOf(topic));
  }

  tail(topic: string, offset: number, payload: Payload): Frame {
    return this.#large(wrap(frontOf("tail", this.#channel, topic, offset), payload));
  }

  joined(
    seq: number,
    count: number,
    epoch: string,
    maxBytes: number,
    membership: Membership,
  ): Frame {
    const { answer, id, token, done, credit, graceMs, params } = membership;
    const log = this.#numbers.numberOf("");
    // By hand: after a fault thousands join at once, and ids, tokens and epochs need no escape.
    const front =
      `["joined",${this.#channel},{"answer":"${answer}","id":"${id}","token":"${token}","epoch":"${epoch}",` +
      `"log":${log},"seq":${seq},"count":${count},"done":${done},"credit":${credit},"maxBytes":${maxBytes},` +
      `"graceMs":${graceMs},"version":"","params":`;
    return new Frame(opcodeOf("text"), Buffer.from(JSON.stringify(params)), front, "}]");
  }

  snapshot(seq: number, payload: Payload): Frame {
    return this.#large(wrap(frontOf("snapshot", this.#channel, seq), payload));
  }

  /** `changes` is JSON text. */
  presence(seq: number, changes: string): Frame {
    return wrap(frontOf("presence", this.#channel, seq), {
      kind: "json",
      bytes: Buffer.from(changes),
    });
  }

  done(n: number): Frame {
    return asciiEnvelope(`["done",${this.#channel},${n}]`);
  }

  credit(bytes: number): Frame {
    return asciiEnvelope(`["credit",${this.#channel},${bytes}]`);
  }

  at(seq: number, count: number): Frame {
    return asciiEnvelope(`["at",${this.#channel},${seq},${count}]`);
  }

  authed(): Frame {
    return asciiEnvelope(`["authed",${this.#channel}]`);
  }
}
