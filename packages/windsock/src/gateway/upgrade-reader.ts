import type { RequestHead } from "./request-head.ts";

/** A request for a WebSocket that was read from its bytes. */
export interface ReadUpgrade extends RequestHead {
  /** The header fields as they may be kept: without the key of the handshake. */
  readonly kept: readonly string[];
  /** How many bytes it took. */
  readonly byteLength: number;
}

/** What a line means here; `node`: it says how a request goes on, or what must come first, which Node knows. */
type Kind = "usual" | "private" | "key" | "upgrade" | "connection" | "node";

interface Line {
  readonly name: string;
  readonly value: string;
  readonly kind: Kind;
}

/** A larger head is read by Node, which has bounds of its own. */
export const maxReadHeadBytes: number = 8192;
/** As `HeaderPool`: beyond, what is known begins anew. */
const maxLines = 2000;
const maxLineLength = 512;

const get = 0x47455420;
const headEnd = Buffer.from("\r\n\r\n");
const versionEnd = " HTTP/1.1";
const targetPattern = /^\/[\x21-\x7e]*$/;
/** A token, then visible Latin-1, spaces and tabs (RFC 9110, section 5.5). No line break of any kind is among them. */
const linePattern =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/;
const connectionPattern = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i;
const kinds: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  // Different for every client: of no use to others, and not theirs to have.
  ["cookie", "private"],
  ["authorization", "private"],
  ["sec-websocket-key", "key"],
  ["upgrade", "upgrade"],
  ["connection", "connection"],
  ["content-length", "node"],
  ["transfer-encoding", "node"],
  ["expect", "node"],
  ["trailer", "node"],
  ["te", "node"],
]);

/**
 * Reads the head of an upgrade that came in one read, and nothing else: an HTTP parser costs
 * a connection more than all else that it needs (ADR 0027).
 *
 * What it takes, Node's parser takes in the same way. Whatever is unusual, longer, or no
 * upgrade is left to that one.
 */
export class UpgradeReader {
  readonly #lines = new Map<string, Line>();

  /** Undefined: left to Node. */
  read(bytes: Buffer): ReadUpgrade | undefined {
    if (bytes.length < 4 || bytes.readUInt32BE(0) !== get) return undefined;
    const end = bytes.indexOf(headEnd);
    if (end === -1 || end > maxReadHeadBytes) return undefined;
    const text = bytes.toString("latin1", 0, end + 2);
    const firstEnd = text.indexOf("\r\n");
    const targetEnd = firstEnd - versionEnd.length;
    if (targetEnd < 5 || !text.startsWith(versionEnd, targetEnd)) return undefined;
    const url = text.slice(4, targetEnd);
    if (!targetPattern.test(url)) return undefined;

    const rawHeaders: string[] = [];
    const kept: string[] = [];
    let isUpgrade = false;
    let isConnection = false;
    for (let at = firstEnd + 2; at < text.length;) {
      const next = text.indexOf("\r\n", at);
      const line = this.#line(text.slice(at, next));
      if (line === undefined || line.kind === "node") return undefined;
      const { name, value, kind } = line;
      rawHeaders.push(name, value);
      if (kind !== "key") kept.push(name, value);
      if (kind === "upgrade") {
        if (isUpgrade || value.toLowerCase() !== "websocket") return undefined;
        isUpgrade = true;
      } else if (kind === "connection") isConnection ||= connectionPattern.test(value);
      at = next + 2;
    }
    if (!isUpgrade || !isConnection) return undefined;
    return {
      method: "GET",
      url,
      httpVersion: "1.1",
      rawHeaders,
      // A list that was pushed to keeps room for more.
      kept: kept.slice(),
      secure: false,
      byteLength: end + 4,
    };
  }

  /** Most lines are those of other clients of the same browser. Undefined: it is not well-formed. */
  #line(text: string): Line | undefined {
    const known = this.#lines.get(text);
    if (known !== undefined) return known;
    const [, name, value] = linePattern.exec(text) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const kind = kinds.get(name.toLowerCase()) ?? "usual";
    // The key is of the handshake alone, and gone with its text.
    const line = { name: this.#shared(name), value: kind === "key" ? value : own(value), kind };
    if (kind === "private" || kind === "key" || text.length > maxLineLength) return line;
    if (this.#lines.size >= maxLines) this.#lines.clear();
    this.#lines.set(own(text), line);
    return line;
  }

  /** A name that stands before values of its own is known by itself. */
  #shared(name: string): string {
    const key = `${name}:`;
    const known = this.#lines.get(key);
    if (known !== undefined) return known.name;
    if (this.#lines.size >= maxLines || name.length > maxLineLength) return own(name);
    const copy = own(name);
    this.#lines.set(key, { name: copy, value: "", kind: kinds.get(copy.toLowerCase()) ?? "usual" });
    return copy;
  }
}

/** A text of its own: a part of another would keep the whole of that. */
function own(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
