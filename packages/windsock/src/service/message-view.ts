import { describe } from "./value.ts";

const maxViewLength = 200;
/** What is looked at of a text that is no JSON. The searches below are quadratic at worst, so this bounds them. */
const maxSearchedLength = 2000;
/** JSON beyond this is treated as text: a view of 200 characters is not worth parsing more. */
const maxParsedLength = 64 * 1024;

const secretName =
  /pass(word|wd|phrase)?|secret|token|authorization|cookie|api[-_]?key|credential/i;
/** `"name": "value"`; the value may be cut off. */
const jsonPair = /("((?:[^"\\]|\\.)*)"\s*:\s*)(")((?:[^"\\]|\\.)*)("|$)/g;
/** The same within a string of other JSON. */
const escapedPair = /(\\"([^"\\]*)\\"\s*:\s*)(\\")([^"\\]*)(\\"|$)/g;
/** `name=value`, `name: value`, `name value`; with a scheme as in `Authorization: Bearer ...`. */
const plainPair =
  /\b([\w-]*(?:password|passwd|passphrase|secret|token|authorization|cookie|api[-_]?key|credentials?)[\w-]*(?:\s*[=:]\s*|\s+))((?:bearer|basic|digest)\s+)?(?!["[])[^\s&"',;]+/gi;

/** What a report shows of a message: bounded, and without what looks like a secret. */
export function viewOf(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value !== "string") return cut(jsonOf(value) ?? describe(value));
  const parsed = parse(value);
  if (parsed !== undefined) return cut(redactText(jsonOf(parsed) ?? value));
  const view = redactText(value.slice(0, maxSearchedLength));
  return cut(view, value.length - Math.min(value.length, maxSearchedLength) + view.length);
}

/** JSON with every value of a secret name replaced; undefined when it cannot be JSON. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (name, inner: unknown) =>
      name !== "" && secretName.test(name) ? "[redacted]" : inner,
    );
  } catch {
    return undefined;
  }
}

function parse(text: string): unknown {
  if (text.length > maxParsedLength || !/^\s*[{[]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function redactText(text: string): string {
  return text
    .slice(0, maxSearchedLength)
    .replace(escapedPair, redactPair)
    .replace(jsonPair, redactPair)
    .replace(plainPair, "$1[redacted]");
}

function redactPair(
  pair: string,
  start: string,
  name: string,
  quote: string,
  _value: string,
  end: string,
): string {
  return secretName.test(name) ? `${start}${quote}[redacted]${end || quote}` : pair;
}

function cut(text: string, length: number = text.length): string {
  return text.length > maxViewLength
    ? `${text.slice(0, maxViewLength)}... (${length} characters)`
    : text;
}
