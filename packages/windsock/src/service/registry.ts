import type { CallOptions } from "./calls.ts";
import { currentHost } from "./running-hosts.ts";
import type { AnyService, Postable, Service, TypesOf } from "./types.ts";

/**
 * The services of an app, by name. A generated file augments it, so that names are checked:
 * `interface Services { status: typeof import("./src/websocket/status.ts").default }`.
 * While it is empty, a name is any `string`, and says nothing about messages.
 */
export interface Services {}

type Registered = Extract<keyof Services, string>;

/** `"room/[id]"` -> `` `room/${string}` `` */
export type PathOf<K extends string> = K extends `${infer A}[${string}]${infer B}`
  ? `${A}${string}${PathOf<B>}`
  : K;

/** What a service may be called by. */
export type ServiceName = [Registered] extends [never] ? string : PathOf<Registered>;

/** Whether a name or address belongs to a registered name: part for part, brackets stand for anything. */
type Matches<N extends string, K extends string> = K extends `${infer KHead}/${infer KRest}`
  ? N extends `${infer NHead}/${infer NRest}`
    ? NHead extends PathOf<KHead>
      ? Matches<NRest, KRest>
      : false
    : false
  : N extends `${string}/${string}`
    ? false
    : N extends PathOf<K>
      ? true
      : false;

type Keyed = Extract<Registered, `${string}[${string}`>;

type KeyAt<N extends string> = N extends Registered
  ? N
  : { [K in Keyed]: Matches<N, K> extends true ? K : never }[Keyed];

/** The service that a target means. */
export type ServiceAt<T> = T extends string
  ? [Registered] extends [never]
    ? Unregistered
    : Services[KeyAt<T> & keyof Services]
  : T;

/** While no names are declared, a name says nothing about messages: anything may be sent. */
type Unregistered = Service<{
  incoming: unknown;
  outgoing: unknown;
  broadcast: unknown;
  info: unknown;
  calls: Record<string, { request: unknown; response: unknown }>;
  params: {};
}>;

/** A service, by the value that `defineService` gave or by its name. */
export type Target = AnyService | ServiceName;

/** One actor of a keyed service: what `at(service, params)` gives. */
export interface Addressed {
  readonly params: Readonly<Record<string, string>>;
}

/** A target as it must be: a name that exists; of a keyed service one actor, made with `at(service, params)`. */
export type TargetOf<T> = T extends AnyService
  ? T extends Addressed
    ? T
    : [keyof TypesOf<T>["params"]] extends [never]
      ? T
      : Addressed
  : T extends ServiceName
    ? T
    : ServiceName;

/** The keys that `at` asks for: none of a service without any. */
type KeysOf<S> = [keyof TypesOf<S>["params"]] extends [never]
  ? Readonly<Record<string, never>>
  : TypesOf<S>["params"];

/** Names one actor of a keyed service: `at(room, { id: "42" })`. */
export function at<S extends AnyService>(service: S, params: KeysOf<S>): S & Addressed {
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
export function broadcast<T extends AnyService | string>(
  target: TargetOf<T>,
  message: BroadcastAt<T>,
): void {
  currentHost("broadcast").broadcast(target, message);
}

/** Posts to a service's `handleInfo`. As `broadcast` otherwise. */
export function info<T extends AnyService | string>(target: TargetOf<T>, message: InfoAt<T>): void {
  currentHost("info").info(target, message);
}

/** What all of these services take: of a union of targets, what fits each. */
type Common<S, Part extends "broadcast" | "info"> = [S] extends [never]
  ? never
  : (S extends Service<infer Types> ? (value: Types[Part]) => void : never) extends (
        value: infer Value,
      ) => void
    ? Value
    : never;

/** What a target may be sent. */
export type BroadcastAt<T> = Common<ServiceAt<T>, "broadcast">;
/** What may be posted to a target's `handleInfo`. */
export type InfoAt<T> = Postable<Common<ServiceAt<T>, "info">>;

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
export function call<
  T extends AnyService | string,
  N extends keyof TypesOf<ServiceAt<T>>["calls"] & string,
>(target: TargetOf<T>, name: N, ...args: CallArgs<RequestAt<T, N>>): Promise<ResponseAt<T, N>> {
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
