import type {
  ActorToEdge,
  EdgeToActor,
  LogEntryData,
  Outlet,
  PublishedValue,
} from "../protocol/port.ts";
import type { AppLogAnswer, ReadAppLog } from "./app-log.ts";

export type JoinAnswer =
  | { readonly type: "admitted" }
  | {
      readonly type: "refused";
      readonly status: number;
      readonly code: string;
      readonly reason: string;
      readonly retryAfterMs: number;
    };

export type PublishAnswer =
  | { readonly type: "published"; readonly seq: number; readonly delivered: boolean }
  | { readonly type: "busy"; readonly retryAfterMs: number }
  | { readonly type: "unavailable"; readonly reason: string; readonly retryAfterMs: number };

/** Whoever asked for entries of an actor's log. */
export interface Puller {
  pulled(entries: readonly LogEntryData[], next: number, gone: boolean): void;
}

type ToActor<Type extends EdgeToActor["type"]> = Extract<EdgeToActor, { type: Type }>;
/** What is asked of a log, without the id that the question is given. */
type AskedEntries = Omit<ToActor<"pull">, "type" | "id" | "maxBytes">;
type Answer = Extract<
  ActorToEdge,
  { type: "admitted" | "refused" | "published" | "busy" | "unavailable" | "pulled" | "read" }
>;

const pullBytes = 64 * 1024;

/**
 * What an edge has asked actors, until they answer. Each question is answered once; at most
 * one of a kind is open for each upgrade, request, member or log.
 */
export class Questions {
  readonly #outlet: Outlet<EdgeToActor>;
  readonly #joins = new Map<string, (answer: JoinAnswer) => void>();
  /** The join that is being posted now, and its answer if that comes at once. */
  #asked: { readonly mid: string; answer: JoinAnswer | undefined } | undefined;
  readonly #publishes = new Map<number, (answer: PublishAnswer) => void>();
  readonly #pulls = new Map<number, Puller>();
  readonly #reads = new Map<number, AppLogAnswer>();
  #nextId = 1;

  constructor(outlet: Outlet<EdgeToActor>) {
    this.#outlet = outlet;
  }

  /** Those that are not answered yet. */
  get size(): number {
    return this.#joins.size + this.#publishes.size + this.#pulls.size + this.#reads.size;
  }

  /** A link within the process answers while it is asked: then so does this, without a promise. */
  join(message: ToActor<"join">): JoinAnswer | Promise<JoinAnswer> {
    const { mid } = message;
    const before = this.#asked;
    const asked: { mid: string; answer: JoinAnswer | undefined } = { mid, answer: undefined };
    this.#asked = asked;
    this.#outlet.post(message);
    this.#asked = before;
    return asked.answer ?? new Promise((resolve) => this.#joins.set(mid, resolve));
  }

  publish(
    address: string,
    value: PublishedValue,
    idempotencyKey: string | undefined,
  ): Promise<PublishAnswer> {
    const { promise, resolve } = Promise.withResolvers<PublishAnswer>();
    const id = this.#nextId++;
    this.#publishes.set(id, resolve);
    this.#outlet.post({
      type: "publish",
      address,
      id,
      value,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    return promise;
  }

  pull(puller: Puller, asked: AskedEntries): void {
    const id = this.#nextId++;
    this.#pulls.set(id, puller);
    // The answer may come at once: not from within the member's own pump.
    queueMicrotask(() => this.#outlet.post({ type: "pull", id, maxBytes: pullBytes, ...asked }));
  }

  /** Reads a log of the app's, from an offset on; without one: its end. */
  reader(address: string, topic: string): ReadAppLog {
    return (from, answer) => {
      const id = this.#nextId++;
      this.#reads.set(id, answer);
      const asked = { address, topic, ...(from === undefined ? {} : { from }) };
      this.#outlet.post({ type: "read", id, maxBytes: pullBytes, ...asked });
    };
  }

  answered(message: Answer): void {
    switch (message.type) {
      case "admitted":
        this.#answerJoin(message.mid, { type: "admitted" });
        return;
      case "refused": {
        const { mid, status, code, reason, retryAfterMs } = message;
        this.#answerJoin(mid, { type: "refused", status, code, reason, retryAfterMs });
        return;
      }
      case "published": {
        const { id, seq, delivered } = message;
        this.#answerPublish(id, { type: "published", seq, delivered });
        return;
      }
      case "busy":
        this.#answerPublish(message.id, { type: "busy", retryAfterMs: message.retryAfterMs });
        return;
      case "unavailable": {
        const { id, reason, retryAfterMs } = message;
        this.#answerPublish(id, { type: "unavailable", reason, retryAfterMs });
        return;
      }
      case "pulled": {
        const puller = this.#pulls.get(message.id);
        this.#pulls.delete(message.id);
        puller?.pulled(message.entries, message.next, message.gone);
        return;
      }
      case "read": {
        const answer = this.#reads.get(message.id);
        this.#reads.delete(message.id);
        answer?.(message);
        return;
      }
    }
  }

  #answerJoin(mid: string, answer: JoinAnswer): void {
    if (this.#asked?.mid === mid) {
      this.#asked.answer = answer;
      return;
    }
    const resolve = this.#joins.get(mid);
    this.#joins.delete(mid);
    resolve?.(answer);
  }

  #answerPublish(id: number, answer: PublishAnswer): void {
    const resolve = this.#publishes.get(id);
    this.#publishes.delete(id);
    resolve?.(answer);
  }
}
