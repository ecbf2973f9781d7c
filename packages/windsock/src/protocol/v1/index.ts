/** `windsock.v1`, as `docs/reference/protocol.md` specifies it: envelopes to messages and back. Pure. */
export * from "./codec.ts";
export * from "./envelope.ts";
