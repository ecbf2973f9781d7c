/** Close codes (RFC 6455, section 7.4.1, and the IANA registry) that Windsock sends. */
export const closeCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupported: 1003,
  /** Never sent: what a close frame without a code is called. */
  noStatus: 1005,
  /** Never sent: what an end without a close frame is called. */
  abnormal: 1006,
  /** The payload is not what it says: text that is not UTF-8, JSON that does not fit the schema. */
  invalidPayload: 1007,
  /** The client broke a rule of this server. It should not come back as it is. */
  policyViolation: 1008,
  tooBig: 1009,
  /** A callback crashed, or the service is down. */
  internalError: 1011,
  /** The server restarts: come back, after a jittered wait. */
  serviceRestart: 1012,
  /** The client is too slow, or the server too busy: come back later. */
  tryAgainLater: 1013,
} as const;

/** A close reason is at most 123 bytes of UTF-8 (RFC 6455, section 5.5: control frames carry 125). */
const maxCloseReasonBytes = 123;

/** Whether an application may put this code into a close frame (RFC 6455, section 7.4). */
export function isSendableCloseCode(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  );
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Cuts a reason to what a close frame can carry, never inside a character. */
export function fitCloseReason(reason: string): string {
  const bytes = encoder.encode(reason);
  if (bytes.length <= maxCloseReasonBytes) return reason;
  let end = maxCloseReasonBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return decoder.decode(bytes.subarray(0, end));
}
