import { latestKeyOf, type ErasedDefinition } from "./definition.ts";
import { detach, payloadOf } from "./encode.ts";
import type { Answer, Mail } from "./mail.ts";
import { sizeOf } from "./value.ts";

/**
 * A broadcast as its service takes it: to `handleBroadcast`, or at once to every client.
 *
 * Encoded or copied here, so that what cannot be is an error of its sender.
 */
export function broadcastMail(
  definition: ErasedDefinition | undefined,
  message: unknown,
  answer?: Answer<number>,
): Mail {
  const answered = answer === undefined ? {} : { answer };
  if (definition?.handleBroadcast === undefined) {
    const key = definition === undefined ? undefined : latestKeyOf(definition, message);
    const payload = payloadOf(message);
    return { type: "publish", bytes: payload.bytes.length, payload, key, ...answered };
  }
  const detached = detach(message, "a broadcast");
  return { type: "broadcast", bytes: sizeOf(detached), message: detached, ...answered };
}
