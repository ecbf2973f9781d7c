import { byteLengthOf } from "../protocol/v1/index.ts";
import { ClientError } from "./client-error.ts";
import type { ClientClock } from "./ports.ts";

/** A message or call that the server has not disposed of. */
export interface Outgoing {
  readonly promise: Promise<unknown>;
  /** 0 until it is first sent. */
  n: number;
  /** JSON text, or bytes. */
  readonly payload: string | Uint8Array;
  readonly bytes: number;
  /** Sent again under a new number where it would be unknown. */
  readonly retry: boolean;
  /** A call: what it asks for, and until when. */
  readonly call: { readonly name: string; readonly deadline: number } | undefined;
  /** The application has its answer, or wants none any more. */
  isSettled: boolean;
  /** Once; an error may be whatever a signal was aborted with. */
  settle(error: unknown, value?: unknown): void;
}

/**
 * What the application sends, with the promise that it has, its time and its signal.
 * `givenUp`: it was settled before its answer, out of time or aborted.
 *
 * @throws ClientError when it cannot be encoded
 */
export function outgoingOf(
  path: string,
  clock: ClientClock,
  value: unknown,
  retry: boolean,
  call: Outgoing["call"],
  signal: AbortSignal | undefined,
  givenUp: (outgoing: Outgoing) => void,
): Outgoing {
  const payload = encodePayload(value);
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const giveUp = (why: unknown): void => {
    outgoing.settle(why);
    givenUp(outgoing);
  };
  const onAbort = (): void => giveUp(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  const timer =
    call &&
    clock.setTimeout(
      () => giveUp(new ClientError("WINDSOCK_TIMEOUT", { path, call: call.name })),
      call.deadline - clock.now(),
    );
  const outgoing: Outgoing = {
    promise,
    n: 0,
    payload,
    bytes: byteLengthOf(payload),
    retry,
    call,
    isSettled: false,
    settle(error, result) {
      if (outgoing.isSettled) return;
      outgoing.isSettled = true;
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
      if (error === undefined) resolve(result);
      else reject(error);
    },
  };
  return outgoing;
}

function encodePayload(value: unknown): string | Uint8Array {
  if (value instanceof Uint8Array) return value.slice();
  try {
    const json = JSON.stringify(value) as string | undefined;
    if (json === undefined) throw new TypeError("no JSON");
    return json;
  } catch (error) {
    throw new ClientError("WINDSOCK_ENCODE", { value: typeof value, reason: String(error) }, error);
  }
}
