/** Beyond, the pool begins anew; what clients hold stays as it is. */
const maxTexts = 2000;
const maxLength = 512;

/**
 * One copy of each text that many requests have in common: names of header fields,
 * languages, browsers. A client's request stays for as long as the client, and nearly
 * all of its headers are what other clients of the same browser sent.
 */
export class HeaderPool {
  readonly #texts = new Map<string, string>();

  /** The same text, as the pool has it. */
  share(text: string): string {
    if (text.length > maxLength) return text;
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= maxTexts) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }

  /** The header of a request, without what only the handshake needs. */
  headers(raw: readonly string[]): string[] {
    const shared: string[] = [];
    for (let index = 0; index + 1 < raw.length; index += 2) {
      const name = this.share(raw[index] ?? "");
      const value = raw[index + 1] ?? "";
      const lower = name.toLowerCase();
      // Different for every connection, and of no use once it is answered.
      if (lower === "sec-websocket-key") continue;
      shared.push(
        name,
        lower === "cookie" || lower === "authorization" ? value : this.share(value),
      );
    }
    // A list that was pushed to keeps room for more.
    return shared.slice();
  }
}
