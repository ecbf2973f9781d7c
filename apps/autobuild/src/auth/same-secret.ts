import { createHash, timingSafeEqual } from "node:crypto";

/** Whether somebody gave the secret that was expected. Compares hashes, so that neither content nor length shows in the time. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected));
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
