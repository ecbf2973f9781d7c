/** What stands in front of the payload of a `send`. */
export interface SendHead {
  readonly channel: number;
  readonly n: number;
  /** Where the payload begins. It ends in front of the last byte. */
  readonly end: number;
}

const front = Buffer.from('["send",');
const comma = 0x2c;
const zero = 0x30;
const closingBracket = 0x5d;
/** So many are below 2^53 in any case. */
const maxDigits = 15;

/**
 * Reads the head of a `send` in the form that `JSON.stringify` gives it, without decoding
 * its bytes: most messages are that. Undefined for any other, which is not to say that it is wrong.
 */
export function readUsualSend(message: Uint8Array): SendHead | undefined {
  for (let index = 0; index < front.length; index++)
    if (message[index] !== front[index]) return undefined;
  if (message[message.length - 1] !== closingBracket) return undefined;
  const middle = endOfNumber(message, front.length);
  const end = endOfNumber(message, middle);
  if (end < 0) return undefined;
  const channel = numberIn(message, front.length, middle - 1);
  return channel === 0 ? undefined : { channel, n: numberIn(message, middle, end - 1), end };
}

/** Behind the comma that follows a number; -1: there is no such number. */
function endOfNumber(message: Uint8Array, start: number): number {
  if (start < 0) return -1;
  let index = start;
  while (isDigit(message[index])) index += 1;
  const digits = index - start;
  if (digits === 0 || digits > maxDigits || message[index] !== comma) return -1;
  // JSON has no number that begins so.
  if (message[start] === zero && digits > 1) return -1;
  return index + 1;
}

function numberIn(message: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let index = start; index < end; index++) value = value * 10 + (message[index] ?? 0) - zero;
  return value;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= zero + 9;
}
