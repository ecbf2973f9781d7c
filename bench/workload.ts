/** What servers and generator agree on: the messages, and the order to broadcast some of them. */

/** After so many messages their content repeats. More than are ever in flight. */
export const ringSize = 4096;

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

/** "Broadcast `count` messages of the ring, one by one, from `first` on": sent by one client as a text message. */
export interface Order {
  readonly first: number;
  readonly count: number;
  readonly size: number;
}

export function formatOrder({ first, count, size }: Order): string {
  return `p ${first % ringSize} ${count} ${size}`;
}

/** Undefined: the message is none, and is to be echoed. */
export function parseOrder(message: string): Order | undefined {
  if (message.charCodeAt(0) !== 0x70) return undefined;
  const [, first, count, size] = message.split(" ");
  return { first: Number(first), count: Number(count), size: Number(size) };
}

/** As `parseOrder`, for servers that get bytes; text is decoded only if it is an order. */
export function parseOrderBytes(message: Buffer): Order | undefined {
  return message[0] === 0x70 ? parseOrder(message.toString("latin1")) : undefined;
}

/** The messages to broadcast, in order. */
export function* ordered({ first, count, size }: Order): Generator<string> {
  const messages = messagesOf(size);
  for (let index = first; index < first + count; index++) yield messages[index % ringSize] ?? "";
}
