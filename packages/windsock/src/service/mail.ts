import type { MailItem } from "../actor/mailbox.ts";
import type { WindsockError } from "../errors.ts";
import type { CloseReason, FaultCode, Payload } from "../protocol/port.ts";
import type { Effect } from "./effect.ts";
import { decodeText } from "./encode.ts";
import { viewOf } from "./message-view.ts";
import type { ServiceClient } from "./service-client.ts";
import type { ServiceTimer } from "./service-timers.ts";
import type { TerminateReason } from "./types.ts";

/** The answer to something posted: exactly one of the two is called, at most once. */
export interface Answer<Value> {
  resolve(value: Value): void;
  reject(error: WindsockError): void;
}

/** The answer to a call, which its caller may give up. */
export interface CallAnswer extends Answer<unknown> {
  /** Nobody waits any more. */
  readonly isOver: boolean;
}

/** Everything that can stand in the mailbox of a service. */
export type Mail = MailItem &
  (
    | { readonly type: "join"; readonly client: ServiceClient }
    | { readonly type: "leave"; readonly client: ServiceClient; readonly reason: CloseReason }
    /** `n` is 0 for a plain client. */
    | {
        readonly type: "incoming";
        readonly client: ServiceClient;
        readonly n: number;
        readonly payload: Payload;
      }
    | {
        readonly type: "clientCall";
        readonly client: ServiceClient;
        readonly n: number;
        readonly name: string;
        readonly payload: Payload;
        readonly deadline: number;
      }
    /** A message that is refused in its turn, so that numbers are disposed of in order. */
    | {
        readonly type: "fault";
        readonly client: ServiceClient;
        readonly n: number;
        readonly fault: { readonly code: FaultCode; readonly message: string };
      }
    /** The socket of a `v1` client broke, or another took its place. */
    | { readonly type: "drop"; readonly client: ServiceClient }
    | { readonly type: "resume"; readonly client: ServiceClient }
    /** These clients need the state instead of what the log no longer has. */
    | { readonly type: "snapshot"; readonly clients: ReadonlySet<ServiceClient> }
    | { readonly type: "broadcast"; readonly message: unknown; readonly answer?: Answer<number> }
    /** A broadcast to a service without a handler for it. */
    | {
        readonly type: "publish";
        readonly payload: Payload;
        readonly key?: string | undefined;
        readonly answer?: Answer<number>;
      }
    | { readonly type: "info"; readonly info: unknown }
    | { readonly type: "timer"; readonly timer: ServiceTimer }
    | {
        readonly type: "call";
        readonly name: string;
        readonly request: unknown;
        readonly deadline: number;
        readonly answer: CallAnswer;
      }
    /** Done by code that is in no turn of this actor. */
    | { readonly type: "effects"; readonly effects: readonly Effect[] }
    /** The time-out of `noreply`, stale unless the token is the newest. */
    | { readonly type: "timeout"; readonly token: number }
    | { readonly type: "end"; readonly reason: TerminateReason }
  );

export type CallMail = Extract<Mail, { type: "call" }>;
export type ClientCallMail = Extract<Mail, { type: "clientCall" }>;

/** Tells whoever waits for this item that nothing comes of it. */
export function refuse(mail: Mail, error: WindsockError): void {
  if ("answer" in mail) mail.answer?.reject(error);
}

/** How many of these somebody sent who hears of no answer. */
export function countUnanswered(items: readonly Mail[]): number {
  return items.filter(
    (mail) =>
      mail.type === "info" ||
      ((mail.type === "broadcast" || mail.type === "publish") && mail.answer === undefined),
  ).length;
}

/** The client that an item came from. */
export function clientOf(mail: Mail | undefined): ServiceClient | undefined {
  return mail !== undefined && "client" in mail ? mail.client : undefined;
}

/** What a report shows of an item. */
export function viewOfMail(mail: Mail): string | undefined {
  switch (mail.type) {
    case "incoming":
      return viewOf(
        mail.payload.kind === "binary" ? mail.payload.bytes : decodeText(mail.payload.bytes),
      );
    case "clientCall":
      return `${mail.name}(${viewOf(mail.payload.kind === "binary" ? mail.payload.bytes : decodeText(mail.payload.bytes))})`;
    case "broadcast":
      return viewOf(mail.message);
    case "info":
      return viewOf(mail.info);
    case "timer":
      return viewOf(mail.timer.info);
    case "call":
      return `${mail.name}(${viewOf(mail.request)})`;
    case "leave":
      return viewOf(mail.reason);
    case "fault":
    case "join":
    case "drop":
    case "resume":
    case "snapshot":
    case "publish":
    case "effects":
    case "timeout":
    case "end":
      return undefined;
  }
}
