/** What an escape sequence asks for. Of those that ask for nothing here, `final` is "". */
export interface EscapeSequence {
  /** The letter behind `ESC [`, `]` for an operating system command, a digit for `ESC 7` and `ESC 8`. */
  readonly final: string;
  readonly parameters: string;
  /** In bytes, the escape included. */
  readonly length: number;
}

const maxControlBytes = 256;
const maxStringBytes = 4096;
const decoder = new TextDecoder();

/**
 * The sequence that begins with the escape at `start`; undefined if more bytes are needed to tell.
 *
 * What breaks off, or is longer than any that means something, is passed over as far as it can be
 * one: no output disappears behind a sequence that never ends (ECMA-48, sections 5.4 and 5.6).
 */
export function escapeSequence(bytes: Uint8Array, start: number): EscapeSequence | undefined {
  const kind = bytes[start + 1];
  if (kind === undefined) return undefined;
  if (kind === 0x5b) return controlSequence(bytes, start);
  // Commands and strings: OSC, DCS, SOS, PM, APC.
  if (kind === 0x5d) return controlString(bytes, start, "]");
  if (kind === 0x50 || kind === 0x58 || kind === 0x5e || kind === 0x5f)
    return controlString(bytes, start, "");
  if (kind >= 0x20 && kind <= 0x2f) {
    // Character sets and the like: any number of intermediates, and a final byte.
    let end = start + 2;
    while (end < bytes.length && isBetween(bytes[end], 0x20, 0x2f)) end += 1;
    if (end - start > maxControlBytes) return skipped(2);
    if (end === bytes.length) return undefined;
    return skipped(end - start + (isBetween(bytes[end], 0x30, 0x7e) ? 1 : 0));
  }
  if (kind === 0x37 || kind === 0x38)
    return { final: String.fromCharCode(kind), parameters: "", length: 2 };
  return skipped(isBetween(kind, 0x30, 0x7e) ? 2 : 1);
}

function controlSequence(bytes: Uint8Array, start: number): EscapeSequence | undefined {
  let end = start + 2;
  while (isBetween(bytes[end], 0x30, 0x3f)) end += 1;
  const parametersEnd = end;
  while (isBetween(bytes[end], 0x20, 0x2f)) end += 1;
  if (end - start > maxControlBytes) return skipped(end - start);
  const final = bytes[end];
  if (final === undefined) return undefined;
  if (!isBetween(final, 0x40, 0x7e)) return skipped(end - start);
  const length = end - start + 1;
  if (parametersEnd !== end) return skipped(length);
  let parameters = "";
  for (let index = start + 2; index < end; index++)
    parameters += String.fromCharCode(bytes[index] ?? 0);
  return { final: String.fromCharCode(final), parameters, length };
}

function controlString(
  bytes: Uint8Array,
  start: number,
  final: string,
): EscapeSequence | undefined {
  const limit = start + maxStringBytes;
  for (let end = start + 2; end < bytes.length; end++) {
    if (end >= limit) return skipped(2);
    switch (bytes[end] ?? 0) {
      case 0x07:
        return { final, parameters: textOf(bytes, start, end), length: end - start + 1 };
      case 0x1b:
        if (end + 1 === bytes.length) return undefined;
        return bytes[end + 1] === 0x5c
          ? { final, parameters: textOf(bytes, start, end), length: end - start + 2 }
          : skipped(end - start);
      case 0x0a:
      case 0x0d:
        // No command goes over lines: this one was never ended.
        return skipped(end - start);
    }
  }
  return undefined;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start + 2, end));
}

function skipped(length: number): EscapeSequence {
  return { final: "", parameters: "", length };
}

function isBetween(byte: number | undefined, least: number, most: number): boolean {
  return byte !== undefined && byte >= least && byte <= most;
}
