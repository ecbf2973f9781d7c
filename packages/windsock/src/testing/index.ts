/** The test kit: time that a test moves, and clients over real sockets. */
export { FaultProxy, type Direction, type LineFaults } from "./fault-proxy.ts";
export { PlainClient, RefusedError, type PlainClientOptions } from "./plain-client.ts";
export { settle, VirtualClock } from "./virtual-clock.ts";
