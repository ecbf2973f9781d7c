const stars = Buffer.from("***");
/** A shorter line of a secret is everywhere, and hiding it would only say what it is. */
const minMaskedBytes = 6;

/** What must not be seen of secrets: each as a whole, its lines, and both in base64; the longest first. */
export function maskedTexts(secrets: Iterable<string>): Buffer[] {
  const texts = new Set<string>();
  for (const secret of secrets) {
    const trimmed = secret.trim();
    for (const part of [secret, trimmed, ...secret.split(/\r?\n/)]) {
      if (Buffer.byteLength(part) < minMaskedBytes) continue;
      texts.add(part);
      texts.add(Buffer.from(part).toString("base64").replace(/=+$/, ""));
      texts.add(encodeURIComponent(part));
    }
    // A short secret is hidden where it stands as it is.
    if (trimmed.length > 0 && Buffer.byteLength(trimmed) < minMaskedBytes) texts.add(trimmed);
  }
  return [...texts].map((text) => Buffer.from(text)).toSorted((a, b) => b.length - a.length);
}

/**
 * Takes secrets out of a stream of bytes, wherever its chunks end.
 *
 * What may be the beginning of a secret is held back, and nothing else: at most the length of the longest
 * secret less one, until the next chunk or the end says what it is. `***` stands for each.
 */
export class Masker {
  readonly #texts: readonly Buffer[];
  #held: Buffer = Buffer.alloc(0);

  /** @param texts as `maskedTexts` gives them */
  constructor(texts: readonly Buffer[]) {
    this.#texts = texts;
  }

  push(chunk: Uint8Array): Buffer {
    if (this.#texts.length === 0) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    return this.#mask(Buffer.concat([this.#held, chunk]), true);
  }

  /** The rest: what it might have begun did not come. */
  end(): Buffer {
    return this.#mask(this.#held, false);
  }

  #mask(bytes: Buffer, hasMore: boolean): Buffer {
    const parts: Buffer[] = [];
    let from = 0;
    for (;;) {
      const found = this.#first(bytes, from);
      // Of one that is longer, and begins no later, the end may still come.
      if (found === undefined || (hasMore && this.#safeEnd(bytes, from, found.at + 1) <= found.at))
        break;
      parts.push(bytes.subarray(from, found.at), stars);
      from = found.at + found.length;
    }
    const end = hasMore ? this.#safeEnd(bytes, from) : bytes.length;
    parts.push(bytes.subarray(from, end));
    this.#held = Buffer.from(bytes.subarray(end));
    return Buffer.concat(parts);
  }

  /** The first secret from an offset on; of several at one place the longest. */
  #first(bytes: Buffer, from: number): { at: number; length: number } | undefined {
    let first: { at: number; length: number } | undefined;
    for (const text of this.#texts) {
      const at = bytes.indexOf(text, from);
      if (at !== -1 && (first === undefined || at < first.at)) first = { at, length: text.length };
    }
    return first;
  }

  /** Up to where no secret can begin that ends beyond. Looks at beginnings up to `limit`. */
  #safeEnd(bytes: Buffer, from: number, limit: number = bytes.length): number {
    const longest = this.#texts[0]?.length ?? 0;
    for (let at = Math.max(from, bytes.length - longest + 1); at < limit; at++) {
      const length = bytes.length - at;
      for (const text of this.#texts) {
        if (text.length <= length) break;
        if (bytes.compare(text, 0, length, at, bytes.length) === 0) return at;
      }
    }
    return limit;
  }
}
