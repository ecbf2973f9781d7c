import type { Payload } from "../protocol/port.ts";
import type { ErasedDefinition } from "./definition.ts";
import { decodeText } from "./encode.ts";
import { check, type Checked } from "./schema.ts";
import { messageOf } from "./value.ts";

/** A client's message as it came: its text, its JSON value, or its bytes. */
export function readUnchecked(payload: Payload): Checked {
  switch (payload.kind) {
    case "binary":
      return { ok: true, value: payload.bytes };
    case "text":
      return { ok: true, value: decodeText(payload.bytes) };
    case "json":
      return parseElement(decodeText(payload.bytes));
  }
}

/** A JSON value that was cut out of an envelope, with whatever elements a later version has put behind it. */
function parseElement(text: string): Checked {
  const parsed = parse(text);
  if (parsed.ok) return parsed;
  const elements = parse(`[${text}]`);
  return elements.ok && Array.isArray(elements.value) && elements.value.length > 1
    ? { ok: true, value: elements.value[0] as unknown }
    : parsed;
}

function parse(text: string): Checked {
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    return {
      ok: false,
      message: `it is not JSON (${messageOf(error)})`,
    };
  }
}

/** A client's message as the schema gives it: bytes as they are, text as JSON, or else as text. */
export function readIncoming(
  schema: NonNullable<ErasedDefinition["incoming"]>,
  payload: Payload,
): Checked | Promise<Checked> {
  if (payload.kind !== "text") {
    // A `v1` client has sent a JSON value, or bytes: there is nothing to guess.
    const read = readUnchecked(payload);
    return read.ok ? check(schema, read.value) : read;
  }
  const text = decodeText(payload.bytes);
  const parsed = parse(text);
  // Text that is no JSON is itself the value: that is how a plain client sends to `z.string()`.
  if (!parsed.ok) return either(check(schema, text), () => parsed);
  return either(check(schema, parsed.value), (failure) =>
    either(check(schema, text), () => failure),
  );
}

function either(
  checked: Checked | Promise<Checked>,
  otherwise: (failure: Checked) => Checked | Promise<Checked>,
): Checked | Promise<Checked> {
  if (checked instanceof Promise) return checked.then((done) => (done.ok ? done : otherwise(done)));
  return checked.ok ? checked : otherwise(checked);
}
