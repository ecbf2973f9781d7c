import type { ClientEnvelope, Envelope, ServerElements, ServerEnvelope } from "./envelope.ts";
import { fields, type FieldName } from "./fields.ts";
import { clientShapes, serverShapes } from "./shapes.ts";

/** One WebSocket message: text, or the bytes of a binary one. */
export type WireMessage = string | Uint8Array;

/** A message is not an envelope of `windsock.v1`. It is the only thing that decoding throws. */
export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
}

/** What stands in front of the payload: the kind, then its fields. */
export type Head = readonly (string | number)[];

const encoder = new TextEncoder();
// A byte order mark is a character that no header has.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Two bytes say how long a header is. */
const maxHeaderBytes = 0xffff;

// ---------- encoding ----------

/** A text message around a payload that is JSON text already. */
export function wrapText(head: Head, json: string): string {
  return `${JSON.stringify(head).slice(0, -1)},${json}]`;
}

/** A binary message around a payload of bytes. The head must fit into 65,535 bytes: names and topics are short. */
export function wrapBytes(head: Head, payload: Uint8Array): Uint8Array {
  const header = encoder.encode(JSON.stringify(head));
  const message = new Uint8Array(2 + header.length + payload.length);
  message[0] = header.length >> 8;
  message[1] = header.length & 0xff;
  message.set(header, 2);
  message.set(payload, 2 + header.length);
  return message;
}

type AnyShapes = Readonly<Record<string, readonly FieldName[]>>;

function encode(envelope: Envelope, shapes: AnyShapes): WireMessage {
  const elements: unknown[] = [envelope.type];
  for (const name of shapes[envelope.type] ?? []) {
    const value = (envelope as unknown as Readonly<Record<string, unknown>>)[name];
    if (value instanceof Uint8Array) {
      const headerBytes = byteLengthOf(JSON.stringify(elements));
      if (headerBytes > maxHeaderBytes)
        throw new EnvelopeError(
          `Expected the header of a binary message to be at most ${maxHeaderBytes} bytes, got ${headerBytes}.`,
        );
      return wrapBytes(elements as (string | number)[], value);
    }
    elements.push(value);
  }
  return JSON.stringify(elements);
}

/** Encodes what a client sends. A payload that is a `Uint8Array` makes a binary message. */
export function encodeClientEnvelope(envelope: ClientEnvelope): WireMessage {
  return encode(envelope, clientShapes);
}

/** Encodes what a server sends. For payloads that are encoded already: `wrapText`, `wrapBytes`. */
export function encodeServerEnvelope(envelope: ServerEnvelope): WireMessage {
  return encode(envelope, serverShapes);
}

// ---------- decoding ----------

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function fault(what: string, expected: string, came: string): EnvelopeError {
  return new EnvelopeError(`Expected ${what} to be ${expected}, got ${came}.`);
}

function parse(what: string, text: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fault(what, "a JSON array", `text that is not JSON (${(error as Error).message})`);
  }
  if (!Array.isArray(value)) throw fault(what, "a JSON array", shown(value));
  return value as readonly unknown[];
}

function parseHeader(message: Uint8Array): [elements: readonly unknown[], payload: Uint8Array] {
  const [high = 0, low = 0] = message;
  const end = 2 + high * 256 + low;
  if (message.length < 2 || end > message.length)
    throw fault(
      "a binary message",
      "two bytes of header length, the header and the payload",
      `${message.length} bytes${message.length < 2 ? "" : ` that announce a header of ${end - 2}`}`,
    );
  let header: string;
  try {
    header = decoder.decode(message.subarray(2, end));
  } catch {
    throw fault("the header of a binary message", "UTF-8", "other bytes");
  }
  return [parse("the header of a binary message", header), message.subarray(end)];
}

/** The kind and its fields, each as it should be. Nothing for a kind that is not known. */
function decode(message: WireMessage, shapes: AnyShapes): unknown[] | undefined {
  const [elements, bytes] =
    typeof message === "string" ? [parse("a text message", message)] : parseHeader(message);
  const type = elements[0];
  if (typeof type !== "string") throw fault("the first element", "the kind, a string", shown(type));
  // By `hasOwn`: "constructor" is a kind that nobody knows.
  const names = Object.hasOwn(shapes, type) ? shapes[type] : undefined;
  if (names === undefined) return undefined;
  if (bytes !== undefined && !names.includes("payload"))
    throw fault(`\`${type}\``, "a text message", "a binary one");
  const known: unknown[] = [type];
  for (const name of names) {
    const index = known.length;
    const isBytes = bytes !== undefined && name === "payload";
    const value = isBytes ? bytes : elements[index];
    const expected = !isBytes && elements.length <= index ? "present" : fields[name](value);
    if (expected !== undefined)
      throw fault(`\`${name}\`, element ${index} of \`${type}\`,`, expected, shown(value));
    known.push(value);
  }
  return known;
}

function named(elements: readonly unknown[] | undefined, shapes: AnyShapes): unknown {
  if (elements === undefined) return undefined;
  const envelope: Record<string, unknown> = { type: elements[0] };
  let index = 0;
  for (const name of shapes[elements[0] as string] ?? []) envelope[name] = elements[++index];
  return envelope;
}

/**
 * Decodes what came from a client. Nothing for a kind that is not known: it is to be ignored.
 * @throws EnvelopeError, and nothing else
 */
export function decodeClientEnvelope(message: WireMessage): ClientEnvelope | undefined {
  return named(decode(message, clientShapes), clientShapes) as ClientEnvelope | undefined;
}

/**
 * Decodes what came from a server. Nothing for a kind that is not known: it is to be ignored.
 * @throws EnvelopeError, and nothing else
 */
export function decodeServerEnvelope(message: WireMessage): ServerEnvelope | undefined {
  return named(decode(message, serverShapes), serverShapes) as ServerEnvelope | undefined;
}

/** As `decodeServerEnvelope`, without names. */
export function decodeServerElements(message: WireMessage): ServerElements | undefined {
  return decode(message, serverShapes) as unknown as ServerElements | undefined;
}

/** Where the payload stands in the kinds whose messages of a server may be binary; else it is 3. */
const payloadIndex: Readonly<Record<string, number>> = { msg: 2, pong: 1, tail: 4 };

/**
 * As `decodeServerElements`, for clients that must be small and trust their server: what is
 * JSON is taken for what it should be, an unknown kind too. Throws when it is not even JSON.
 */
export function readServerElements(message: WireMessage): ServerElements {
  if (typeof message === "string") return JSON.parse(message) as ServerElements;
  const [high = 0, low = 0] = message;
  const end = 2 + high * 256 + low;
  const elements = JSON.parse(decoder.decode(message.subarray(2, end))) as unknown[];
  elements[payloadIndex[elements[0] as string] ?? 3] = message.slice(end);
  return elements as unknown as ServerElements;
}

/** The length of a message on the wire: what credit and limits count. */
export function byteLengthOf(message: WireMessage): number {
  return typeof message === "string" ? encoder.encode(message).length : message.length;
}
