import { Frame, opcodeOf, type Deflate } from "../protocol/frame.ts";
import type { Payload } from "../protocol/port.ts";
import { wrapBytes, type Head } from "../protocol/v1/codec.ts";

/** An entry of an actor's log at the edge. */
export interface WindowEntry {
  readonly seq: number;
  readonly topic: string;
  /** Undefined: the actor began anew here. */
  readonly payload: Payload | undefined;
  /** Frames that were built already, by the voice that needed them; as they are, not compressed. */
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
  /** The same without compression. */
  readonly base: Voice;
  /** For members whose transport takes compressed frames: what they keep up with is compressed, once for all of them. */
  readonly deflate: Deflate | undefined;
  /** Undefined: this voice has nothing to say of it. */
  frameOf(entry: Pick<WindowEntry, "seq" | "topic" | "payload">): Frame | undefined;
}

/** Beyond, members with the same topics no longer share what is built for them; nothing else changes. */
const maxTopicSets = 1000;

/** The one set with these topics in this voice. */
export class TopicSets {
  readonly #sets = new Map<Voice, Map<string, TopicSet>>();
  #count = 0;

  of(voice: Voice, topics: readonly string[]): TopicSet {
    if (topics.length === 1 && topics[0] === "") return voice.ownLogOnly;
    const sorted = [...topics].sort();
    const key = JSON.stringify(sorted);
    const known = this.#sets.get(voice)?.get(key);
    if (known !== undefined) return known;
    if (this.#count >= maxTopicSets) {
      this.#sets.clear();
      this.#count = 0;
    }
    let sets = this.#sets.get(voice);
    if (sets === undefined) this.#sets.set(voice, (sets = new Map()));
    const set = setOf(voice, sorted);
    sets.set(key, set);
    this.#count += 1;
    return set;
  }
}

function setOf(voice: Voice, topics: readonly string[]): TopicSet {
  return { voice, topics, has: new Set(topics) };
}

/** Exactly what the service sent. */
class PlainVoice implements Voice {
  readonly ownLogOnly: TopicSet = setOf(this, [""]);
  readonly base: Voice = this;
  readonly deflate = undefined;

  frameOf({ payload }: { readonly payload: Payload | undefined }): Frame | undefined {
    return payload === undefined ? undefined : frameOfPayload(payload);
  }
}

export const plainVoice: Voice = new PlainVoice();

/** Says the same as another voice, to members who take it compressed. A gap or a backlog is one member's own, and leaves as it is. */
export class DeflatingVoice implements Voice {
  readonly ownLogOnly: TopicSet = setOf(this, [""]);
  readonly base: Voice;
  readonly deflate: Deflate;

  constructor(base: Voice, deflate: Deflate) {
    this.base = base;
    this.deflate = deflate;
  }

  frameOf(entry: Pick<WindowEntry, "seq" | "topic" | "payload">): Frame | undefined {
    return this.base.frameOf(entry);
  }
}

/** Topics with a number in one voice. Beyond, those that nobody follows lose theirs: who follows one later is told another. */
export const maxNumberedTopics = 1000;

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
  readonly base: Voice = this;
  readonly deflate = undefined;
  #deflating: DeflatingVoice | undefined;
  readonly #numbers: LogNumbers;
  readonly #byTopic = new Map<string, number>();
  #maxTopics = maxNumberedTopics;

  constructor(numbers: LogNumbers) {
    this.#numbers = numbers;
  }

  /** How many topics have a number. */
  get size(): number {
    return this.#byTopic.size;
  }

  /** It is time to say which topics are still followed. */
  get isCrowded(): boolean {
    return this.#byTopic.size > this.#maxTopics;
  }

  /**
   * Forgets the numbers of all other topics. Frames that carry one must go with it. Where most
   * are followed, it is next crowded when it has twice as many: to look at all costs.
   */
  keepOnly(followed: ReadonlySet<string>): void {
    for (const topic of this.#byTopic.keys())
      if (topic !== "" && !followed.has(topic)) this.#byTopic.delete(topic);
    this.#maxTopics = Math.max(maxNumberedTopics, 2 * this.#byTopic.size);
  }

  /** The one that says the same compressed. */
  deflating(deflate: Deflate): DeflatingVoice {
    return (this.#deflating ??= new DeflatingVoice(this, deflate));
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
    return wrap(frontOf("pub", this.numberOf(topic), seq), payload);
  }
}

/** A payload as a plain client gets it. */
export function frameOfPayload(payload: Payload): Frame {
  return new Frame(opcodeOf(payload.kind), payload.bytes);
}

/** The elements in front of a payload, and the same as text. */
export interface Front {
  readonly head: Head;
  readonly text: string;
}

/** Prepared once where many envelopes begin with the same elements. */
export function frontOf(...head: Head): Front {
  // The header's `]` becomes the `,` in front of the payload.
  const text = `${JSON.stringify(head).slice(0, -1)},`.replace(notAscii, escaped);
  return { head, text };
}

/** An envelope around a payload that is encoded already. */
export function wrap(front: Front, payload: Payload): Frame {
  const { kind, bytes } = payload;
  if (kind === "binary") return new Frame(opcodeOf("binary"), wrapBytes(front.head, bytes));
  const text = opcodeOf("text");
  if (kind === "json") return new Frame(text, bytes, front.text, "]");
  // A text is a JSON string on this wire: most are the same with quotes around them.
  if (isJsonInside(bytes)) return new Frame(text, bytes, `${front.text}"`, '"]');
  return new Frame(text, Buffer.from(JSON.stringify(textOf(bytes))), front.text, "]");
}

const notAscii = /[^\0-\x7f]/g;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The bytes of UTF-8 that a JSON string must escape (RFC 8259, section 7). */
const mustEscape = new Uint8Array(256).fill(1, 0, 0x20);
mustEscape[0x22] = 1;
mustEscape[0x5c] = 1;

/** Whether a JSON string has these bytes as they are. Without a branch: two thirds of the time with one. */
function isJsonInside(bytes: Uint8Array): boolean {
  let found = 0;
  for (let index = 0; index < bytes.length; index++) found |= mustEscape[bytes[index] ?? 0] ?? 0;
  return found === 0;
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
}

const nothing = new Uint8Array();

/** An envelope that is ASCII: it needs no bytes of its own. */
export function asciiEnvelope(text: string): Frame {
  return new Frame(opcodeOf("text"), nothing, text);
}

/** An envelope whose last element is a plain value. */
export function envelopeOf(head: readonly unknown[], last: unknown): Frame {
  return new Frame(opcodeOf("text"), Buffer.from(JSON.stringify([...head, last])));
}
