/** Windsock: WebSocket services as actors. A file in `src/websocket/` is a service with a URL. */
export * from "./errors.ts";
export type { Clock, Timer } from "./actor/clock.ts";
export { systemClock } from "./actor/clock.ts";
export type { Route } from "./gateway/routes.ts";
export { attach, createServer, type Server } from "./node/server.ts";
export type { AppHealth, ServerOptions } from "./node/options.ts";
export { closeCode } from "./protocol/close-code.ts";
export {
  defaultHistoryLimits,
  defaultLimits,
  defaultServiceLimits,
  type HistoryLimits,
  type Limits,
  type ServiceLimits,
} from "./protocol/limits.ts";
export type { CloseReason } from "./protocol/port.ts";
export type { PresenceEntry } from "./protocol/v1/index.ts";
export type { CallOptions } from "./service/calls.ts";
export { defineService } from "./service/define-service.ts";
export {
  noreply,
  reply,
  stop,
  type CallOutcome,
  type Kept,
  type Noreply,
  type Outcome,
  type Reply,
  type Stop,
  type StopReason,
} from "./service/outcome.ts";
export {
  at,
  broadcast,
  call,
  info,
  type Addressed,
  type ServiceName,
  type Services,
  type Target,
} from "./service/registry.ts";
export { formatReport, type Report } from "./service/report.ts";
export {
  type,
  type AnySchema,
  type JsonValue,
  type Sendable,
  type TypeToken,
  type Unchecked,
} from "./service/schema.ts";
export type { ServiceInfo } from "./service/service-host.ts";
export type {
  CallDeclaration,
  CallDeclarations,
  Client,
  LogChunk,
  LogSource,
  Service,
  ServiceContext,
  ServiceDefinition,
  ServiceTypes,
  SubscribeOptions,
  TerminateReason,
  Timeout,
  TypesOf,
  UpgradeRequest,
} from "./service/types.ts";
