import type { Clock, Timer } from "../actor/clock.ts";
import {
  CallCycleError,
  CallFailedError,
  CallTimeoutError,
  OptionError,
  type WindsockError,
} from "../errors.ts";
import type { Place } from "./addresses.ts";
import { detach } from "./encode.ts";
import type { CallAnswer } from "./mail.ts";
import { deliver } from "./post.ts";
import type { ServiceActor } from "./service-actor.ts";
import { turnStorage, type Turn, type WaitsFor } from "./turn.ts";
import { describe, isPromiseLike, sizeOf } from "./value.ts";

export interface CallOptions {
  /** @default 5000, and never longer than the rest of the caller's own deadline */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const defaultCallTimeoutMs = 5000;

export interface CallsOptions {
  readonly clock: Clock;
  /** The actor that runs at this address now. */
  readonly running: (address: string) => ServiceActor | undefined;
  /** The same, started if need be. Throws or rejects when it cannot be. */
  readonly started: (place: Place) => ServiceActor | Promise<ServiceActor>;
}

/** Calls from code to actors: each has a deadline, and none waits for its own caller. */
export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** Throws what is wrong with the call itself; what becomes of it is in the promise. */
  call(place: Place, name: string, request: unknown, options: CallOptions = {}): Promise<unknown> {
    const { address } = place;
    const { clock, started } = this.#options;
    const timeoutMs = options.timeoutMs ?? defaultCallTimeoutMs;
    if (!Number.isFinite(timeoutMs) || timeoutMs < 1)
      throw new OptionError(
        `Expected \`timeoutMs\` to be at least 1 ms, got ${describe(timeoutMs)}.`,
      );
    const stored = turnStorage.getStore();
    if (stored?.status === "failed")
      throw new CallFailedError(
        `The turn of ${stored.actor.address} that makes this call has crashed.`,
      );
    const turn = stored?.status === "open" ? stored : undefined;
    if (turn !== undefined) {
      const path = this.#path(address, turn.actor.address, new Set());
      if (path !== undefined) throw new CallCycleError([...path, address]);
    }
    const detached = detach(request, "a request");
    const actor = started(place);

    const deadline = Math.min(clock.now() + timeoutMs, turn?.deadline ?? Infinity);
    const pending = new PendingCall({
      address,
      name,
      clock,
      deadline,
      turn,
      signal: options.signal,
    });
    const post = (to: ServiceActor): void => {
      if (pending.isOver) return;
      try {
        const bytes = sizeOf(detached);
        deliver(
          to.postOf(`the call \`${name}\``, {
            type: "call",
            bytes,
            name,
            request: detached,
            deadline,
            answer: pending,
          }),
        );
      } catch (error) {
        pending.reject(error as WindsockError);
      }
    };
    if (isPromiseLike(actor))
      actor.then(post, (error: unknown) => pending.reject(error as WindsockError));
    else post(actor);
    return pending.promise;
  }

  /** The actors by which `from` waits for `to`, both included; undefined when it does not. */
  #path(from: string, to: string, seen: Set<string>): readonly string[] | undefined {
    if (from === to) return [from];
    if (seen.has(from)) return undefined;
    seen.add(from);
    for (const next of this.#options.running(from)?.waitsFor() ?? []) {
      const path = this.#path(next, to, seen);
      if (path !== undefined) return [from, ...path];
    }
    return undefined;
  }
}

interface PendingCallOptions {
  readonly address: string;
  readonly name: string;
  readonly clock: Clock;
  readonly deadline: number;
  /** The turn that waits. */
  readonly turn: Turn | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A call on its way, as its caller waits for it. The first end counts: answer, refusal, deadline, abort, crash of the caller. */
class PendingCall implements CallAnswer, WaitsFor {
  readonly promise: Promise<unknown>;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: WindsockError) => void;
  readonly #options: PendingCallOptions;
  readonly #timer: Timer;
  #isOver = false;

  constructor(options: PendingCallOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#options = options;
    const { clock, deadline, turn, signal } = options;
    const ms = Math.max(0, deadline - clock.now());
    this.#timer = clock.setTimeout(() => this.#timedOut(ms), ms);
    turn?.waits(this);
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get address(): string {
    return this.#options.address;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  resolve(value: unknown): void {
    if (this.#end()) this.#resolve(value);
  }

  reject(error: WindsockError): void {
    if (this.#end()) this.#reject(error);
  }

  turnFailed(): void {
    // Whoever waited for it has crashed: nobody may be left to hear of the rejection.
    this.promise.catch(() => {});
    const caller = this.#options.turn?.actor.address ?? "";
    this.reject(new CallFailedError(`The turn of ${caller} that made this call has crashed.`));
  }

  #timedOut(ms: number): void {
    const { address, name } = this.#options;
    this.reject(
      new CallTimeoutError(
        `Expected ${address} to answer \`${name}\` within ${Math.round(ms)} ms, got nothing.`,
      ),
    );
  }

  readonly #onAbort = (): void => {
    const { address, name } = this.#options;
    this.reject(new CallTimeoutError(`The call \`${name}\` of ${address} was aborted.`));
  };

  /** False: it had ended before. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#timer.cancel();
    this.#options.turn?.waitsNoMore(this);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    return true;
  }
}
