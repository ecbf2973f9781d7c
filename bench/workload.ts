/** What servers and generator agree on: the messages, and the order to broadcast some of them. */

/** After so many messages their content repeats. More than are ever in flight. */
export const ringSize = 4096;

/** The size that most rows use; its messages are made ahead. */
export const usualSize = 128;

const alphabet = "abcdefghijklmnopqrstuvwxyz";
const made = new Map<number, readonly string[]>();

/** The message at `index` of the ring: `m`, four digits, and letters that depend on the index. ASCII, nothing that JSON escapes. */
export function messageText(index: number, size: number): string {
  const head = `m${String(index % ringSize).padStart(4, "0")} `;
  const letters = alphabet.repeat(Math.ceil(size / alphabet.length) + 1);
  const shift = index % alphabet.length;
  const text = head + letters.slice(shift, shift + size - head.length);
  // Flat: a rope or a slice would be flattened inside of what is measured.
  return Buffer.from(text, "latin1").toString("latin1");
}

/** All messages of one size. Made once, ahead of what is measured. */
export function messagesOf(size: number): readonly string[] {
  let messages = made.get(size);
  if (messages === undefined) {
    messages = Array.from({ length: ringSize }, (_, index) => messageText(index, size));
    made.set(size, messages);
  }
  return messages;
}

/** A message that a server takes and does nothing with. */
export function silentText(size: number): string {
  return `x${messageText(0, size).slice(1)}`;
}

export function isSilent(message: string): boolean {
  return message.charCodeAt(0) === 0x78;
}

export function isSilentBytes(message: Buffer): boolean {
  return message[0] === 0x78;
}

/** "Broadcast `count` messages of the ring, one by one, from `first` on": sent by one client as a text message. */
export interface Order {
  readonly first: number;
  readonly count: number;
  readonly size: number;
  /** By the callback that takes the order itself, where a server has such a way. */
  readonly isDirect: boolean;
}

export function formatOrder({ first, count, size, isDirect }: Order): string {
  return `${isDirect ? "q" : "p"} ${first % ringSize} ${count} ${size}`;
}

/** Undefined: the message is none, and is to be echoed. */
export function parseOrder(message: string): Order | undefined {
  const letter = message.charCodeAt(0);
  if (letter !== 0x70 && letter !== 0x71) return undefined;
  const [, first, count, size] = message.split(" ");
  const isDirect = letter === 0x71;
  return { first: Number(first), count: Number(count), size: Number(size), isDirect };
}

/** As `parseOrder`, for servers that get bytes; text is decoded only if it is an order. */
export function parseOrderBytes(message: Buffer): Order | undefined {
  const [letter] = message;
  return letter === 0x70 || letter === 0x71 ? parseOrder(message.toString("latin1")) : undefined;
}

/** The messages to broadcast, in order. */
export function* ordered({ first, count, size }: Order): Generator<string> {
  const messages = messagesOf(size);
  for (let index = first; index < first + count; index++) yield messages[index % ringSize] ?? "";
}
