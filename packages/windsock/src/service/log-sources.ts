import { settleWithin, type Clock } from "../actor/clock.ts";
import { BadReturnError, CallbackTimeoutError, OptionError, OverloadedError } from "../errors.ts";
import type { LogPosition, Payload } from "../protocol/port.ts";
import { Encoder } from "./encode.ts";
import type { Report } from "./report.ts";
import type { LogChunk, LogSource } from "./types.ts";
import { describe } from "./value.ts";

export interface LogSourcesOptions {
  readonly address: string;
  readonly timeoutMs: number;
  readonly maxLogs: number;
  readonly clock: Clock;
  readonly report: (report: Report) => void;
}

export interface SourceChunk {
  readonly payloads: Payload[];
  readonly offsets?: readonly number[];
  readonly next: LogPosition;
  readonly failed: boolean;
}

/** The logs that the app keeps itself, by topic: `service.log(topic, source)`. */
export class LogSources {
  readonly #options: LogSourcesOptions;
  // Made when they are needed: most services have none.
  #sources: Map<string, LogSource> | undefined;
  #encoder: Encoder | undefined;
  #complete: PromiseWithResolvers<void> | undefined;
  #isComplete = false;

  constructor(options: LogSourcesOptions) {
    this.#options = options;
  }

  set(topic: string, source: LogSource): void {
    if (topic === "")
      throw new OptionError(
        "Expected `service.log` to get a topic with a name, got an empty one: that is the service's own log.",
      );
    const { address, maxLogs } = this.#options;
    if (!this.has(topic) && (this.#sources?.size ?? 0) >= maxLogs)
      throw new OverloadedError(
        `Expected at most ${maxLogs} logs of the app's in ${address}, got one more: ${describe(topic)}. Give each a key of its own, or raise \`limits.maxLogs\`.`,
        0,
      );
    (this.#sources ??= new Map()).set(topic, source);
  }

  /** The service has begun: what it does not have now, it does not have. */
  complete(): void {
    this.#isComplete = true;
    this.#complete?.resolve();
  }

  has(topic: string): boolean {
    return this.#sources?.has(topic) === true;
  }

  /** A part of a log; its end when `from` is undefined. Not a turn: it runs beside the callbacks. Never rejects. */
  async read(topic: string, from: LogPosition | undefined, maxBytes: number): Promise<SourceChunk> {
    const { address, timeoutMs, clock, report } = this.#options;
    const timedOut = () =>
      new CallbackTimeoutError(
        `Expected the log ${describe(topic)} of ${address} to answer within ${timeoutMs} ms.`,
      );
    try {
      // Who comes back to a service that is starting may be ahead of its `init`.
      if (!this.#isComplete && !this.has(topic))
        await settleWithin(this.#completion(), timeoutMs, clock, timedOut);
      const source = this.#sources?.get(topic);
      if (source === undefined) return { payloads: [], next: from ?? 0, failed: true };
      const work =
        from === undefined
          ? Promise.resolve(source.head()).then((next): LogChunk => ({ messages: [], next }))
          : Promise.resolve(source.read(from, maxBytes));
      const chunk = await settleWithin(work, timeoutMs, clock, timedOut);
      // A reader that goes back would read the same part for ever.
      if (!Number.isSafeInteger(chunk.next) || chunk.next < (from ?? 0))
        throw new BadReturnError(
          `Expected the log ${describe(topic)} of ${address} to give an offset of at least ${from ?? 0}, got ${describe(chunk.next)}.`,
        );
      const encoder = (this.#encoder ??= new Encoder());
      return {
        payloads: chunk.messages.map((message) => encoder.encode(message)),
        ...(chunk.offsets === undefined ? {} : { offsets: chunk.offsets }),
        next: chunk.next,
        failed: false,
      };
    } catch (error) {
      report({ type: "failure", where: `the log ${JSON.stringify(topic)} of ${address}`, error });
      return { payloads: [], next: from ?? 0, failed: true };
    }
  }

  #completion(): Promise<void> {
    this.#complete ??= Promise.withResolvers<void>();
    return this.#complete.promise;
  }
}
