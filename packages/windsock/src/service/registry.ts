import type { CallOptions } from "./service-host.ts";
import { currentHost } from "./service-host.ts";
import type { AnyService, TypesOf } from "./types.ts";

/**
 * The services of an app, by name. A generated file augments it, so that names are checked:
 * `interface Services { status: typeof import("./src/websocket/status.ts").default }`.
 * While it is empty, any name is a `string`.
 */
export interface Services {}

type Registered = Extract<keyof Services, string>;

/** `"room/[id]"` -> `` `room/${string}` `` */
export type PathOf<K extends string> = K extends `${infer A}[${string}]${infer B}`
  ? `${A}${string}${PathOf<B>}`
  : K;

/** What a service may be called by. */
export type ServiceName = [Registered] extends [never] ? string : PathOf<Registered>;

type KeyAt<N extends string> = N extends Registered
  ? N
  : { [K in Registered]: N extends PathOf<K> ? K : never }[Registered];

/** The service that a target means. */
export type ServiceAt<N> = N extends string
  ? [Registered] extends [never]
    ? Unregistered
    : Services[KeyAt<N> & keyof Services]
  : N;

/** While no names are declared, a name says nothing about messages: anything may be sent. */
type Unregistered = import("./types.ts").Service<{
  incoming: unknown;
  outgoing: unknown;
  broadcast: unknown;
  info: unknown;
  calls: Record<string, { request: unknown; response: unknown }>;
  params: {};
}>;

/** A service, by the value that `defineService` gave or by its name. */
export type Target = AnyService | ServiceName;

/** One actor of a keyed service. */
export interface Addressed {
  readonly params: Readonly<Record<string, string>>;
}

/** A keyed service must be addressed with `at(service, params)`. */
export type NeedsKey<T> = T extends AnyService
  ? [keyof TypesOf<T>["params"]] extends [never]
    ? unknown
    : Addressed
  : unknown;

/** Names one actor of a keyed service: `at(room, { id: "42" })`. */
export function at<S extends AnyService>(service: S, params: TypesOf<S>["params"]): S & Addressed {
  return Object.assign(Object.create(service) as S, {
    kind: service.kind,
    params,
    definition: (service as unknown as { definition: unknown }).definition,
  });
}

/**
 * Sends a message to a service: its `handleBroadcast`, or every client of it.
 *
 * In a callback it is posted when the turn commits. Elsewhere it is posted at once, and
 * throws `OverloadedError` (with `retryAfterMs`) when the mailbox is full.
 */
export function broadcast<T extends Target>(
  target: T & NeedsKey<T>,
  message: TypesOf<ServiceAt<T>>["broadcast"],
): void {
  currentHost("broadcast").broadcast(target, message);
}

/** Posts to a service's `handleInfo`. As `broadcast` otherwise. */
export function info<T extends Target>(
  target: T & NeedsKey<T>,
  message: TypesOf<ServiceAt<T>>["info"],
): void {
  currentHost("info").info(target, message);
}

export type CallArgs<R> = undefined extends R
  ? [request?: R, options?: CallOptions]
  : [request: R, options?: CallOptions];

/**
 * Calls a service by the name of one of its `calls`, and gives its reply.
 *
 * Rejects with `CallTimeoutError`, `CallCycleError`, `CallFailedError` (it crashed or
 * stopped), `InvalidMessageError` (the request does not fit), `OverloadedError` or
 * `ServiceDownError`.
 */
export function call<T extends Target, N extends keyof TypesOf<ServiceAt<T>>["calls"] & string>(
  target: T & NeedsKey<T>,
  name: N,
  ...args: CallArgs<RequestAt<T, N>>
): Promise<ResponseAt<T, N>> {
  const [request, options] = args as [request?: unknown, options?: CallOptions];
  return currentHost("call").call(target, name, request, options) as Promise<ResponseAt<T, N>>;
}

type CallAt<T, N extends string> = TypesOf<ServiceAt<T>>["calls"][N &
  keyof TypesOf<ServiceAt<T>>["calls"]];
/** What a call of this target is asked with. */
export type RequestAt<T, N extends string> =
  CallAt<T, N> extends { request: infer R } ? R : undefined;
/** What a call of this target answers. */
export type ResponseAt<T, N extends string> =
  CallAt<T, N> extends { response: infer R } ? R : undefined;
