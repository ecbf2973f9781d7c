import type { Payload } from "../protocol/port.ts";
import { decodeClientEnvelope, type ClientEnvelope } from "../protocol/v1/index.ts";
import type { ChannelCall } from "./uplink.ts";
import { readUsualSend } from "./usual-send.ts";

export type JoinOptions = Extract<ClientEnvelope, { type: "join" }>["options"];

/** Who is told what a client of `windsock.v1` says (docs/reference/protocol.md, section 2). */
export interface Listener {
  join(channel: number, path: string, options: JoinOptions): void;
  /** `length`: of the whole message, in bytes. */
  send(channel: number, n: number, payload: Payload, length: number): void;
  call(channel: number, call: ChannelCall): void;
  cancel(channel: number, n: number): void;
  acked(channel: number, count: number): void;
  reauthorize(channel: number, auth: unknown): void;
  leave(channel: number): void;
  pinged(payload: unknown): void;
}

/**
 * Reads one message, and tells what it says. Kinds that are not known say nothing.
 *
 * @throws EnvelopeError when it is no envelope
 */
export function readEnvelope(data: Buffer, isBinary: boolean, listener: Listener): void {
  const usual = isBinary ? undefined : readUsualSend(data);
  if (usual !== undefined) {
    // The payload stays as it came: to read it is the service's business.
    const bytes = data.subarray(usual.end, -1);
    listener.send(usual.channel, usual.n, { kind: "json", bytes }, data.length);
    return;
  }
  const envelope = decodeClientEnvelope(isBinary ? data : data.toString("utf8"));
  if (envelope !== undefined) tell(envelope, data.length, listener);
}

function tell(envelope: ClientEnvelope, length: number, listener: Listener): void {
  switch (envelope.type) {
    case "join":
      listener.join(envelope.channel, envelope.path, envelope.options);
      return;
    case "send":
      listener.send(envelope.channel, envelope.n, payloadOf(envelope.payload), length);
      return;
    case "call": {
      const { channel, n, name, timeoutMs } = envelope;
      const payload = payloadOf(envelope.payload);
      listener.call(channel, { n, name, timeoutMs, wireBytes: length, payload });
      return;
    }
    case "cancel":
      listener.cancel(envelope.channel, envelope.n);
      return;
    case "ack":
      listener.acked(envelope.channel, envelope.count);
      return;
    case "auth":
      listener.reauthorize(envelope.channel, envelope.payload);
      return;
    case "leave":
      listener.leave(envelope.channel);
      return;
    case "ping":
      listener.pinged(envelope.payload);
      return;
  }
}

function payloadOf(value: unknown): Payload {
  if (value instanceof Uint8Array) return { kind: "binary", bytes: value };
  return { kind: "json", bytes: Buffer.from(JSON.stringify(value), "utf8") };
}
