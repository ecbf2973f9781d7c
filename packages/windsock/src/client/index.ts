/** The client of Windsock's services, for browsers and Node: typed, and it comes back without a gap unseen. */
export { ClientError, type ClientErrorCode } from "./client-error.ts";
export { connect, createClient, type WindsockClient } from "./create-client.ts";
export { createCoreClient } from "./create-core-client.ts";
export type { OutboxLimits } from "./outbox.ts";
export { browserPage, noPage, systemClock } from "./ports.ts";
export type {
  ClientClock,
  ClientPage,
  ClientPorts,
  ClientSocket,
  ClientTimer,
  PageEvent,
} from "./ports.ts";
export type { ReaderLimits } from "./reader.ts";
export type {
  CallOptions,
  Channel,
  ChannelEvent,
  ChannelHandlers,
  ChannelState,
  Connect,
  ConnectOptions,
  CoreChannelOf,
  CoreConnect,
  Incoming,
  Jsonified,
  MessageSource,
  Outgoing,
  SendOptions,
} from "./types.ts";
export { decodeServerElements, readServerElements } from "../protocol/v1/index.ts";
export type { PresenceChanges, PresenceEntry } from "../protocol/v1/index.ts";
export type { Services } from "../service/registry.ts";
