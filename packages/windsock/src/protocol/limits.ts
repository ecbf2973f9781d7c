/**
 * Every bound of a server, its default, and what happens at it.
 * `docs/reference/options.md` shows the same table.
 */
export interface Limits {
  /** One incoming message, in bytes; in a fragment for each 64 of them at most, and in 1,024 in any case. Beyond: close 1009, or 1008 for the fragments. @default 65536 */
  readonly maxPayloadBytes: number;
  /** Messages a second of one client, averaged over a burst of as many. Beyond: its socket is read no faster. @default 1000 */
  readonly maxMessagesPerSecond: number;
  /** Open connections. Beyond: 503 with `Retry-After`. @default 20000 */
  readonly maxConnections: number;
  /** Open connections of one remote address. Beyond: 429 with `Retry-After`. @default 1000 */
  readonly maxConnectionsPerAddress: number;
  /** Services and keys joined over one socket of `windsock.v1`. Beyond: the join is refused as `overloaded`. @default 100 */
  readonly maxChannels: number;
  /** Upgrades that wait for `authorize` or for a place in a mailbox. Beyond: 503. @default 1000 */
  readonly maxPendingUpgrades: number;
  /** From the first byte of the request to the end of `authorize`, in ms. Beyond: 408 or 504. @default 10000 */
  readonly handshakeTimeoutMs: number;
  /** Silence after which a client is pinged, in ms. @default 25000 */
  readonly pingIntervalMs: number;
  /** Silence after a ping, in ms. Beyond: the connection is dropped, `handleClose` gets `timeout`. @default 20000 */
  readonly pongTimeoutMs: number;
  /** What waits for one client alone (`client.send`), in bytes. Beyond: close 1013, `handleClose` gets `slow`. @default 1048576 */
  readonly maxSendQueueBytes: number;
  /** The same over all clients, a message for many counted once. Beyond: those with most are closed with 1013, `handleClose` gets `slow`. @default 268435456 */
  readonly maxTotalSendQueueBytes: number;
  /** Messages for single `windsock.v1` clients that were not acknowledged, over all services, in bytes. Beyond: those who have acknowledged nothing for longest join anew when they come back. @default 268435456 */
  readonly maxTotalPrivateBytes: number;
  /** Memberships of `windsock.v1` clients whose connections broke, over all services. Beyond: those that have been away for longest end, `handleClose` gets `lost`. @default 20000 */
  readonly maxDroppedClients: number;
  /** Time for which a socket may take no byte while some wait, in ms. Beyond: it is dropped as `slow`. @default 30000 */
  readonly stalledTimeoutMs: number;
  /** Time for the other side to answer a close frame, in ms. Beyond: the connection is dropped. @default 5000 */
  readonly closeTimeoutMs: number;
  /** What `authorize` may return as the user, in bytes of its structured clone. Beyond: 500 and a report. @default 4096 */
  readonly maxUserBytes: number;
  /** Time for a drain, in ms. Beyond: what is left is cut and the process exits with 1. @default 10000 */
  readonly drainTimeoutMs: number;
}

export const defaultLimits: Limits = Object.freeze({
  maxPayloadBytes: 64 * 1024,
  maxMessagesPerSecond: 1000,
  maxConnections: 20_000,
  maxConnectionsPerAddress: 1000,
  maxChannels: 100,
  maxPendingUpgrades: 1000,
  handshakeTimeoutMs: 10_000,
  pingIntervalMs: 25_000,
  pongTimeoutMs: 20_000,
  maxSendQueueBytes: 1024 * 1024,
  maxTotalSendQueueBytes: 256 * 1024 * 1024,
  maxTotalPrivateBytes: 256 * 1024 * 1024,
  maxDroppedClients: 20_000,
  stalledTimeoutMs: 30_000,
  closeTimeoutMs: 5000,
  maxUserBytes: 4096,
  drainTimeoutMs: 10_000,
});

/** The bounds of one service or key, its mailbox, log and timers. */
export interface ServiceLimits {
  /** Messages in the mailbox. Beyond: clients wait, joins and publishes get 503, `broadcast` and `info` throw. @default 1000 */
  readonly maxMailboxMessages: number;
  /** Bytes in the mailbox. As above. @default 4194304 */
  readonly maxMailboxBytes: number;
  /** Time for one callback to settle, in ms. Beyond: it counts as a crash. @default 30000 */
  readonly callbackTimeoutMs: number;
  /** Time without client, message or timer after which the actor of a key stops, in ms. @default 60000 */
  readonly idleTimeoutMs: number;
  /** Actors of one keyed service. Beyond: 503. @default 10000 */
  readonly maxKeys: number;
  /** Timers of one actor. Beyond: `sendAfter` throws. @default 10000 */
  readonly maxTimers: number;
  /** Topics that one client follows. Beyond: `subscribe` throws. @default 100 */
  readonly maxSubscriptions: number;
  /** Topics of one actor that `service.log` has put a log under. Beyond: it throws. @default 10000 */
  readonly maxLogs: number;
  /** How long the membership of a `windsock.v1` client outlives its connection, in ms. Beyond: `handleClose` gets `lost`. @default 60000 */
  readonly graceMs: number;
  /** Messages for one `windsock.v1` client alone that it has not acknowledged, in bytes. Beyond: its next resume is a new join. @default 65536 */
  readonly maxPrivateBytes: number;
  /** What a `windsock.v1` client may have sent and not yet had handled, in bytes. Beyond: it waits. @default 65536 */
  readonly creditBytes: number;
  /** Restarts within `restartWindowMs`. Beyond: the service is down. @default 10 */
  readonly maxRestarts: number;
  /** @default 10000 */
  readonly restartWindowMs: number;
}

export const defaultServiceLimits: ServiceLimits = Object.freeze({
  maxMailboxMessages: 1000,
  maxMailboxBytes: 4 * 1024 * 1024,
  callbackTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  maxKeys: 10_000,
  maxTimers: 10_000,
  maxSubscriptions: 100,
  maxLogs: 10_000,
  graceMs: 60_000,
  maxPrivateBytes: 64 * 1024,
  creditBytes: 64 * 1024,
  maxRestarts: 10,
  restartWindowMs: 10_000,
});

/** The bounds of a log kept in memory. At each, the oldest entries go. */
export interface HistoryLimits {
  /** @default 1000 */
  readonly messages: number;
  /** @default 1048576 */
  readonly bytes: number;
  /** Age of the oldest entry, in ms. @default 600000 */
  readonly ageMs: number;
}

export const defaultHistoryLimits: HistoryLimits = Object.freeze({
  messages: 1000,
  bytes: 1024 * 1024,
  ageMs: 600_000,
});
