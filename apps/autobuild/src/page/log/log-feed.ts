import { connect, type ChannelState } from "windsock/client";
import type { LogEnd } from "../../log/step-log-reader.ts";
import type { IndexData } from "../../terminal/line-index.ts";
import { LogDocument } from "./log-document.ts";
import { UnreadBytes } from "./unread-bytes.ts";

/** What the server knows of a log. */
export interface LogIndexAnswer extends IndexData {
  readonly byte: number;
  readonly lines: number;
  /** When each group began and ended, in ms since 1970. */
  readonly groupTimes: readonly (readonly [number | null, number | null])[];
  readonly end: LogEnd | null;
  /** The server's clock. */
  readonly nowMs: number;
}

/** Whether what was read is what was written. */
export type Proof = "unknown" | "same" | "different" | "unchecked";

export interface FeedListener {
  /** There are other rows. */
  handleChange(): void;
  handleState(state: ChannelState): void;
  handleEnd(end: LogEnd, proof: Proof): void;
  /** The server's word on the log, at the beginning and after a skip. */
  handleIndex(index: LogIndexAnswer): void;
  /** More came than can be read: it went on at the end. */
  handleSkip(): void;
  handleProblem(message: string): void;
}

const tailBytes = 64 * 1024;
const maxFetches = 4;
/** Larger logs are not fetched as a whole, so there is nothing to compare. */
const maxCheckedBytes = 32 * 1024 * 1024;

/** Brings a log into a document: its end at once and live, what lies before when somebody reads it. */
export class LogFeed {
  document = new LogDocument(undefined);
  end: LogEnd | undefined;
  /** How often bytes were asked for again, because others came than were expected. */
  gaps = 0;
  /** Bytes that were passed over to be at the end again. They are fetched when somebody scrolls there. */
  skippedBytes = 0;
  readonly url: string;
  readonly #path: string;
  readonly #listener: FeedListener;
  readonly #over = new AbortController();
  readonly #wanted = new Set<number>();
  #queue: { from: number; until: number }[] = [];
  #fetching = 0;
  #channel: ReturnType<typeof connect> | undefined;
  readonly #unread = new UnreadBytes({
    handleBytes: (bytes) => this.document.write(bytes),
    handleRead: () => {
      this.#listener.handleChange();
      this.#prove();
    },
    handleOverflow: () => void this.#skip(),
  });
  #isSkipping = false;
  #hasIndex = false;
  /** The byte that is to come next. */
  #expected = 0;
  #membership = "";

  constructor(buildId: number, name: string, listener: FeedListener) {
    this.url = `/builds/${buildId}/logs/${name}`;
    this.#path = `log/${buildId}/${name}`;
    this.#listener = listener;
    void this.#start();
  }

  close(): void {
    this.#over.abort();
    this.#unread.close();
    this.#channel?.close();
  }

  async #start(): Promise<void> {
    // Meanwhile, since each of the two takes a round trip.
    this.#connect();
    const index = await this.#fetchIndex();
    if (index === undefined) {
      this.#channel?.close();
      return;
    }
    this.#adopt(index);
    this.#hasIndex = true;
    this.#follow();
    this.#listener.handleChange();
  }

  /** Tried again until there is an answer; undefined when there is no such log, or nobody looks any more. */
  async #fetchIndex(): Promise<LogIndexAnswer | undefined> {
    for (let attempt = 0; !this.#over.signal.aborted; attempt++) {
      try {
        const answer = await fetch(`${this.url}/index`, { signal: this.#over.signal });
        if (answer.ok) return (await answer.json()) as LogIndexAnswer;
        if (answer.status === 404) {
          this.#listener.handleProblem("There is no such log.");
          return undefined;
        }
      } catch {
        // Offline, or the server restarts: it is tried again, as the connection is.
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 500 * 2 ** attempt)));
    }
    return undefined;
  }

  /** Begins shortly before the end. */
  #adopt(index: LogIndexAnswer): void {
    const from = Math.max(0, index.byte - tailBytes);
    const checkpoints = index.checkpoints.filter(({ byte }) => byte <= from);
    this.document = new LogDocument(
      {
        ...index,
        checkpoints: checkpoints.length === 0 ? index.checkpoints.slice(0, 1) : checkpoints,
      },
      (start, until) => this.#want(start, until),
      this.document,
    );
    this.#expected = this.document.byte;
    this.#listener.handleIndex(index);
  }

  /** A page that reads more slowly than a build prints goes on at the end, as one that comes late. */
  async #skip(): Promise<void> {
    if (this.#isSkipping) return;
    this.#isSkipping = true;
    const index = await this.#fetchIndex();
    this.#isSkipping = false;
    if (this.#over.signal.aborted) return;
    const readUntil = this.document.byte;
    if (index === undefined) this.#expected = readUntil;
    else {
      this.#adopt(index);
      this.skippedBytes += Math.max(0, this.document.byte - readUntil);
      this.#listener.handleSkip();
    }
    this.#follow();
    this.#listener.handleChange();
    this.#prove();
  }

  #connect(): void {
    const channel = connect(this.#path);
    this.#channel = channel;
    channel.on("state", (state) => {
      this.#listener.handleState(state);
      if (state.type === "open" && state.id !== this.#membership) {
        this.#membership = state.id;
        this.#follow();
      }
    });
    channel.on("message", (message, { source }) => {
      if (source.type === "tail") this.#take(message as Uint8Array, source.offset);
      else this.#ended(message as { type: "end" } & LogEnd);
    });
    channel.on("error", (error) => this.#listener.handleProblem(error.message));
  }

  /** Not before it is known from where on, and who asks: it is done again when both are. */
  #follow(): void {
    if (!this.#hasIndex || this.#membership === "") return;
    void this.#channel?.send({ type: "follow", from: this.#expected }).catch(() => {});
  }

  /** `offset` is the one behind the bytes. */
  #take(bytes: Uint8Array, offset: number): void {
    if (this.#isSkipping) return;
    const expected = this.#expected;
    const start = offset - bytes.length;
    if (start > expected) {
      // Nothing is shown that has a hole in it.
      this.gaps += 1;
      this.#follow();
      return;
    }
    if (offset <= expected) return;
    this.#expected = offset;
    this.#unread.push(bytes.subarray(expected - start));
  }

  #ended({ type: _type, ...end }: { type: "end" } & LogEnd): void {
    this.end = end;
    this.#listener.handleEnd(end, "unknown");
    this.#prove();
  }

  /** Compares what is here with what was written, once all of it is here. */
  #prove(): void {
    const { end } = this;
    if (end === undefined || this.document.byte < end.length) return;
    const parts = this.document.allBytes();
    if (
      parts === undefined ||
      end.sha256 === undefined ||
      end.length > maxCheckedBytes ||
      !isSecureContext
    ) {
      this.#listener.handleEnd(end, "unchecked");
      return;
    }
    void new Blob(parts as BlobPart[])
      .arrayBuffer()
      .then((bytes) => crypto.subtle.digest("SHA-256", bytes))
      .then((hash) => {
        const text = Array.from(new Uint8Array(hash), (byte) =>
          byte.toString(16).padStart(2, "0"),
        ).join("");
        this.#listener.handleEnd(end, text === end.sha256 ? "same" : "different");
      });
  }

  /** Fetches what is not here of rows `from` to `until`. False when it did not come, or is more than is fetched at once. */
  async bring(from: number, until: number): Promise<boolean> {
    const missing = this.document.missing(from, until);
    const bytes = missing.reduce((sum, range) => sum + range.until - range.from, 0);
    if (bytes > maxCheckedBytes) return false;
    for (const range of missing) await this.#fetch(range.from, range.until);
    return this.document.missing(from, until).length === 0;
  }

  #want(from: number, until: number): void {
    if (this.#wanted.has(from)) return;
    this.#wanted.add(from);
    // What was asked for last is what somebody looks at now.
    this.#queue.unshift({ from, until });
    for (const { from: given } of this.#queue.splice(2 * maxFetches)) this.#wanted.delete(given);
    this.#fetchNext();
  }

  #fetchNext(): void {
    while (this.#fetching < maxFetches) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#fetching += 1;
      void this.#fetch(next.from, next.until).finally(() => {
        this.#fetching -= 1;
        this.#wanted.delete(next.from);
        this.#fetchNext();
      });
    }
  }

  async #fetch(from: number, until: number): Promise<void> {
    try {
      const answer = await fetch(this.url, {
        headers: { Range: `bytes=${from}-${until - 1}` },
        signal: this.#over.signal,
      });
      if (answer.status !== 206) return;
      this.document.fill(from, new Uint8Array(await answer.arrayBuffer()));
      this.#listener.handleChange();
      if (this.end !== undefined) this.#prove();
    } catch {
      // Without an answer the rows stay empty, and are asked for when they are drawn again.
    }
  }
}
