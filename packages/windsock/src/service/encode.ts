import { EncodeError } from "../errors.ts";
import type { Payload, PublishedValue } from "../protocol/port.ts";
import { describe } from "./value.ts";

/**
 * Turns what is sent into a payload, at the call: a later change of the value changes
 * nothing. Equal text in a row gives the same payload object, so that a loop of
 * `client.send(text)` shares one frame.
 */
export class Encoder {
  #lastText: string | undefined;
  #lastPayload: Payload | undefined;

  encode(value: unknown): Payload {
    if (value instanceof Uint8Array) return payloadOf(value);
    const isText = typeof value === "string";
    const text = isText ? value : stringify(value);
    const kind = isText ? "text" : "json";
    if (text === this.#lastText && this.#lastPayload?.kind === kind) return this.#lastPayload;
    this.#lastText = text;
    this.#lastPayload = { kind, bytes: Buffer.from(text, "utf8") };
    return this.#lastPayload;
  }

  /** At the end of a turn, so that no actor holds on to the last text that it sent. */
  forget(): void {
    this.#lastText = undefined;
    this.#lastPayload = undefined;
  }
}

/** Text as UTF-8, a copy of the bytes, or the JSON of anything else. */
export function payloadOf(value: unknown): Payload {
  if (value instanceof Uint8Array) return { kind: "binary", bytes: Buffer.from(value) };
  const isText = typeof value === "string";
  const text = isText ? value : stringify(value);
  return { kind: isText ? "text" : "json", bytes: Buffer.from(text, "utf8") };
}

function stringify(value: unknown): string {
  const expected = `Expected a string, a Uint8Array or a value that JSON can hold, got ${describe(value)}`;
  // JSON takes these for empty objects: what they hold would be lost without a word.
  if (
    value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value) ||
    value instanceof Map ||
    value instanceof Set
  )
    throw new EncodeError(`${expected}.`);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new EncodeError(`${expected}: ${String(error)}.`, { cause: error });
  }
  if (text === undefined) throw new EncodeError(`${expected}.`);
  return text;
}

/** A value that leaves its sender: strings as they are, the rest as a structured clone. */
export function detach(value: unknown, what: string): unknown {
  if (typeof value !== "object" && typeof value !== "function") return value;
  try {
    return structuredClone(value);
  } catch (error) {
    throw new EncodeError(
      `Expected ${what} to be structured-cloneable (data, no functions or class instances with behaviour), got ${describe(value)}: ${String(error)}.`,
      {
        cause: error,
      },
    );
  }
}

/** The value of a broadcast that came as bytes. */
export function decodePublished(value: PublishedValue): unknown {
  switch (value.kind) {
    case "binary":
      return value.bytes;
    case "text":
      return decodeText(value.bytes);
    case "json":
      return JSON.parse(decodeText(value.bytes)) as unknown;
  }
}

export function decodeText(bytes: Uint8Array): string {
  // In one process they came as a buffer: another view of them would cost as much as to read them.
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString("utf8");
}
