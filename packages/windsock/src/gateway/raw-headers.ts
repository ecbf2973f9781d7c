/**
 * The header fields of a request as they came: name, value, name, value (Node's
 * `rawHeaders`). Only in this form can a field be seen to have come twice.
 */
export type RawHeaders = readonly string[];

/** All values of a field, in order. `name` is given in lower case. */
export function headerValues(headers: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const field = headers[at] ?? "";
    // Most fields differ in length already: a handshake looks for nine among fifteen.
    if (field.length === name.length && field.toLowerCase() === name)
      values.push((headers[at + 1] ?? "").trim());
  }
  return values;
}

/** All values of a field as one text, as `headerValues` gives them: a list is not made for the one that there usually is. */
export function headerText(headers: RawHeaders, name: string, separator: string = ", "): string {
  let text: string | undefined;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const field = headers[at] ?? "";
    if (field.length !== name.length || field.toLowerCase() !== name) continue;
    const value = (headers[at + 1] ?? "").trim();
    text = text === undefined ? value : `${text}${separator}${value}`;
  }
  return text ?? "";
}

/** How often a field came. */
export function headerCount(headers: RawHeaders, name: string): number {
  let count = 0;
  for (let at = 0; at < headers.length; at += 2) {
    const field = headers[at] ?? "";
    if (field.length === name.length && field.toLowerCase() === name) count += 1;
  }
  return count;
}

/** How many fields there are, and the bytes they took on the wire. */
export function headersSize(headers: RawHeaders): { fields: number; bytes: number } {
  let bytes = 0;
  // Node hands fields over as Latin-1, a character a byte. Each carries ": " and CR LF.
  for (const text of headers) bytes += text.length + 2;
  return { fields: Math.floor(headers.length / 2), bytes };
}
