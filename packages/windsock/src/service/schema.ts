import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Any value that JSON can hold. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** What a client may be sent when a service declares no `outgoing`: text, bytes, or a value that JSON can hold. */
export type Sendable = string | number | boolean | object | null;

/** What arrives when a service declares no `incoming`: nothing was checked. */
export type Unchecked = JsonValue | Uint8Array;

declare const token: unique symbol;

/** A type that is not checked when the program runs. */
export interface TypeToken<out T> {
  readonly [token]: () => T;
  readonly "~standard"?: never;
}

const typeToken: object = Object.freeze({});

/**
 * Declares a type where no schema is needed: `outgoing: type<StatusEvent>()`.
 * Nothing is checked when the program runs.
 */
export function type<T>(): TypeToken<T> {
  return typeToken as TypeToken<T>;
}

/** A Standard Schema (zod, valibot, arktype, ...) or a `type<T>()`. */
export type AnySchema = StandardSchemaV1 | TypeToken<unknown>;

/** What a writer gives: a schema's input, a token's type, else the default. */
export type InputOf<D, Default> = [D] extends [never]
  ? Default
  : D extends TypeToken<infer T>
    ? T
    : D extends StandardSchemaV1
      ? StandardSchemaV1.InferInput<D>
      : Default;

/** What a reader gets: a schema's output, a token's type, else the default. */
export type OutputOf<D, Default> = [D] extends [never]
  ? Default
  : D extends TypeToken<infer T>
    ? T
    : D extends StandardSchemaV1
      ? StandardSchemaV1.InferOutput<D>
      : Default;

export type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

function firstIssue(issues: readonly StandardSchemaV1.Issue[]): string {
  const issue = issues[0];
  if (issue === undefined) return "it does not fit the schema";
  const path = (issue.path ?? [])
    .map((part) => String(typeof part === "object" ? part.key : part))
    .join(".");
  return path === "" ? issue.message : `at \`${path}\`: ${issue.message}`;
}

/** Runs a schema. The answer is a promise only if the schema's is. */
export function check(schema: StandardSchemaV1, value: unknown): Checked | Promise<Checked> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then(toChecked) : toChecked(result);
}

function toChecked(result: StandardSchemaV1.Result<unknown>): Checked {
  return result.issues === undefined
    ? { ok: true, value: result.value }
    : { ok: false, message: firstIssue(result.issues) };
}
