import type { Clock } from "../actor/clock.ts";
import {
  CallCycleError,
  CallFailedError,
  CallTimeoutError,
  OptionError,
  UnknownServiceError,
  type WindsockError,
} from "../errors.ts";
import { detach } from "./encode.ts";
import type { Answer } from "./mail.ts";
import { deliver } from "./post.ts";
import type { ServiceActor } from "./service-actor.ts";
import { turnStorage } from "./turn.ts";
import { describe, sizeOf } from "./value.ts";

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
  /** The same, started if need be. */
  readonly started: (address: string) => ServiceActor | undefined;
}

/** Calls from code to actors: each has a deadline, and none waits for its own caller. */
export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  call(
    address: string,
    name: string,
    request: unknown,
    options: CallOptions = {},
  ): Promise<unknown> {
    const { clock } = this.#options;
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
    const via = turn === undefined ? [] : [...turn.via, turn.actor.address];
    if (via.includes(address)) throw new CallCycleError([...via, address]);
    if (turn !== undefined && this.#waits(address, turn.actor.address, new Set()))
      throw new CallCycleError([...via, address, turn.actor.address]);
    const actor = this.#options.started(address);
    if (actor === undefined)
      throw new UnknownServiceError(`Expected a service that runs, got ${address}.`);
    const detached = detach(request, "a request");
    const deadline = Math.min(clock.now() + timeoutMs, turn?.deadline ?? Infinity);

    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const waits = turn?.actor.waitingFor;
    waits?.add(address);
    const settle = (): void => {
      timer.cancel();
      waits?.delete(address);
      forget?.();
      options.signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: WindsockError): void => {
      settle();
      reject(error);
    };
    const timer = clock.setTimeout(
      () =>
        fail(
          new CallTimeoutError(
            `Expected ${address} to answer \`${name}\` within ${Math.round(timeoutMs)} ms, got nothing.`,
          ),
        ),
      Math.max(0, deadline - clock.now()),
    );
    const onAbort = (): void =>
      fail(new CallTimeoutError(`The call \`${name}\` of ${address} was aborted.`));
    const forget = turn?.onFailed(() =>
      fail(
        new CallFailedError(`The turn of ${turn.actor.address} that made this call has crashed.`),
      ),
    );
    const answer: Answer<unknown> = {
      resolve: (value) => {
        settle();
        resolve(value);
      },
      reject: fail,
    };
    if (options.signal?.aborted === true) onAbort();
    else {
      options.signal?.addEventListener("abort", onAbort, { once: true });
      try {
        deliver(
          actor.postOf(`the call \`${name}\``, {
            type: "call",
            bytes: sizeOf(detached),
            name,
            request: detached,
            via,
            deadline,
            answer,
          }),
        );
      } catch (error) {
        fail(error as WindsockError);
      }
    }
    return promise;
  }

  /** Whether `from` waits, over any number of calls, for `to`. */
  #waits(from: string, to: string, seen: Set<string>): boolean {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    for (const next of this.#options.running(from)?.waitingFor ?? [])
      if (this.#waits(next, to, seen)) return true;
    return false;
  }
}
