import { Frame, opcodeOf } from "../protocol/frame.ts";
import type { Payload } from "../protocol/port.ts";
import { wrapBytes, type Head } from "../protocol/v1/codec.ts";

/** An entry of an actor's log at the edge. */
export interface WindowEntry {
  readonly seq: number;
  readonly topic: string;
  /** Undefined: the actor began anew here. */
  readonly payload: Payload | undefined;
  /** Frames that were built already, by the voice that needed them. */
  readonly frames: Map<Voice, Frame | undefined>;
}

/** The topics of some members that are spoken to in one voice, shared by all that have the same ones. */
export interface TopicSet {
  readonly voice: Voice;
  readonly topics: readonly string[];
  readonly has: ReadonlySet<string>;
}

/** How the entries of one log are framed for some members: the same bytes for all of them. */
export interface Voice {
  /** The service's own log and no topic: what every member begins with. */
  readonly ownLogOnly: TopicSet;
  /** Undefined: this voice has nothing to say of it. */
  frameOf(entry: Pick<WindowEntry, "seq" | "topic" | "payload">): Frame | undefined;
}

/** Beyond, members with the same topics no longer share what is built for them; nothing else changes. */
const maxTopicSets = 1000;

/** The one set with these topics in this voice. */
export class TopicSets {
  readonly #sets = new Map<string, TopicSet>();

  of(voice: Voice, topics: readonly string[]): TopicSet {
    if (topics.length === 1 && topics[0] === "") return voice.ownLogOnly;
    const sorted = [...topics].sort();
    const key = JSON.stringify(sorted);
    let set = this.#sets.get(key);
    if (set === undefined || set.voice !== voice) {
      if (this.#sets.size >= maxTopicSets) this.#sets.clear();
      set = setOf(voice, sorted);
      this.#sets.set(key, set);
    }
    return set;
  }
}

function setOf(voice: Voice, topics: readonly string[]): TopicSet {
  return { voice, topics, has: new Set(topics) };
}

/** Exactly what the service sent. */
class PlainVoice implements Voice {
  readonly ownLogOnly: TopicSet = setOf(this, [""]);

  frameOf({ payload }: { readonly payload: Payload | undefined }): Frame | undefined {
    return payload === undefined ? undefined : frameOfPayload(payload);
  }
}

export const plainVoice: Voice = new PlainVoice();

/** The numbers by which `pub` names a log: of this process, the same for all clients. */
export class LogNumbers {
  #next = 1;
  take(): number {
    return this.#next++;
  }
}

/** `windsock.v1`: an envelope that names the log by a number and the entry by its `seq`. */
export class EnvelopeVoice implements Voice {
  readonly ownLogOnly: TopicSet = setOf(this, [""]);
  readonly #numbers: LogNumbers;
  readonly #byTopic = new Map<string, number>();

  constructor(numbers: LogNumbers) {
    this.#numbers = numbers;
  }

  numberOf(topic: string): number {
    let number = this.#byTopic.get(topic);
    if (number === undefined) {
      number = this.#numbers.take();
      this.#byTopic.set(topic, number);
    }
    return number;
  }

  frameOf({ seq, topic, payload }: Pick<WindowEntry, "seq" | "topic" | "payload">): Frame {
    if (payload === undefined) return envelopeOf(["restarted", this.numberOf("")], seq);
    return wrap(["pub", this.numberOf(topic), seq], payload);
  }
}

/** A payload as a plain client gets it. */
export function frameOfPayload(payload: Payload): Frame {
  return new Frame(opcodeOf(payload.kind), payload.bytes);
}

/** An envelope around a payload that is encoded already. */
export function wrap(head: Head, payload: Payload): Frame {
  switch (payload.kind) {
    case "binary":
      return new Frame(opcodeOf("binary"), wrapBytes(head, payload.bytes));
    case "json":
      return new Frame(opcodeOf("text"), envelopeAround(head, payload.bytes));
    case "text": {
      // A text is a JSON string on this wire.
      const { buffer, byteOffset, byteLength } = payload.bytes;
      const text = Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
      return new Frame(opcodeOf("text"), envelopeAround(head, Buffer.from(JSON.stringify(text))));
    }
  }
}

/** As `wrapUtf8`, in a buffer of the pool: memory of its own for each reply doubled what an echo costs the collector. */
function envelopeAround(head: Head, json: Uint8Array): Uint8Array {
  const front = JSON.stringify(head);
  const length = Buffer.byteLength(front);
  const message = Buffer.allocUnsafe(length + json.length + 1);
  message.write(front, "utf8");
  // The header's `]` becomes the `,` in front of the payload.
  message[length - 1] = 0x2c;
  message.set(json, length);
  message[message.length - 1] = 0x5d;
  return message;
}

/** An envelope whose last element is a plain value. */
export function envelopeOf(head: readonly unknown[], last: unknown): Frame {
  return new Frame(opcodeOf("text"), Buffer.from(JSON.stringify([...head, last])));
}
