import { opcode } from "../protocol/frame.ts";
import type { Payload } from "../protocol/port.ts";
import type { ErasedDefinition } from "./define-service.ts";
import { decodeText } from "./encode.ts";
import { check, type Checked } from "./schema.ts";

/** What a service without a schema gets of a client's message: its text, or its bytes. */
export function readUnchecked(payload: Payload): string | Uint8Array {
  return payload.opcode === opcode.text ? decodeText(payload.bytes) : payload.bytes;
}

/** A client's message as the schema gives it: bytes as they are, text as JSON, or else as text. */
export function readIncoming(
  schema: NonNullable<ErasedDefinition["incoming"]>,
  payload: Payload,
): Checked | Promise<Checked> {
  if (payload.opcode === opcode.binary) return check(schema, payload.bytes);
  const text = decodeText(payload.bytes);
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch (error) {
    // Text that is no JSON is itself the value: that is how a plain client sends to `z.string()`.
    const asText = check(schema, text);
    const why = `it is not JSON (${error instanceof Error ? error.message : String(error)})`;
    return either(asText, () => ({ ok: false, message: why }));
  }
  return either(check(schema, value), (failure) => either(check(schema, text), () => failure));
}

function either(
  checked: Checked | Promise<Checked>,
  otherwise: (failure: Checked) => Checked | Promise<Checked>,
): Checked | Promise<Checked> {
  if (checked instanceof Promise) return checked.then((done) => (done.ok ? done : otherwise(done)));
  return checked.ok ? checked : otherwise(checked);
}
