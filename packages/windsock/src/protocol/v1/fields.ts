import type { Envelope } from "./envelope.ts";

/** A check gives what it expected, or nothing when the value is right. */
export type Check = (value: unknown) => string | undefined;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const count: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0
    ? undefined
    : "an integer from 0 to 2^53 - 1";

const channel: Check = (value) =>
  count(value) === undefined && value !== 0 ? undefined : "an integer from 1 to 2^53 - 1";

const text: Check = (value) => (typeof value === "string" ? undefined : "a string");

const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");

const anything: Check = () => undefined;

const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string) ? undefined : `one of ${words.join(", ")}`;

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value);

/** An object with these fields; what else it has is ignored. */
const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (!isRecord(value)) return "an object";
    for (const name in fields) {
      // A name that only the prototype has is absent.
      const expected = fields[name]?.(Object.hasOwn(value, name) ? value[name] : undefined);
      if (expected !== undefined) return `an object whose \`${name}\` is ${expected}`;
    }
    return undefined;
  };

const recordOf =
  (check: Check): Check =>
  (value) => {
    if (!isRecord(value)) return "an object";
    for (const inner of Object.values(value)) {
      const expected = check(inner);
      if (expected !== undefined) return `an object of which each value is ${expected}`;
    }
    return undefined;
  };

const listOf =
  (check: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return "an array";
    for (const inner of value) {
      const expected = check(inner);
      if (expected !== undefined) return `an array of which each element is ${expected}`;
    }
    return undefined;
  };

type FieldsOf<E> = E extends unknown ? Exclude<keyof E, "type"> : never;

/** A name means the same in every envelope. */
export type FieldName = FieldsOf<Envelope>;

export const fields: Readonly<Record<FieldName, Check>> = {
  channel,
  log: count,
  seq: count,
  n: count,
  count,
  offset: count,
  bytes: count,
  timeoutMs: count,
  windowMs: count,
  closeCode: count,
  path: text,
  name: text,
  topic: text,
  code: text,
  message: text,
  reason: text,
  how: oneOf("rejoin", "retry", "end"),
  detail: object({}),
  payload: anything,
  options: object({
    resume: optional(
      object({
        token: text,
        epoch: text,
        seq: count,
        count,
        tails: optional(recordOf(count)),
      }),
    ),
  }),
  info: object({
    answer: oneOf("new", "resumed", "snapshot", "rejoin"),
    id: text,
    token: text,
    epoch: text,
    log: count,
    seq: count,
    count,
    done: count,
    credit: count,
    maxBytes: count,
    graceMs: count,
    version: text,
    params: recordOf(text),
  }),
  changes: object({
    join: listOf(object({ id: text })),
    leave: listOf(text),
    all: optional(flag),
  }),
};
