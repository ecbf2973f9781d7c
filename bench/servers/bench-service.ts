import { broadcast, defineService, type Service } from "windsock";
import { isSilent, ordered, parseOrder } from "../workload.ts";

export interface BenchServiceOptions {
  readonly durable: boolean;
  /** Whether the log keeps all that a row broadcasts: more than the default of 1 MiB. */
  readonly isLogLong: boolean;
}

/** What most servers of Windsock run: without `handleBroadcast`, so what is broadcast is published. */
export function benchService({ durable, isLogLong }: BenchServiceOptions): Service {
  const bounds = isLogLong ? { messages: 1_000_000, bytes: 200 * 1024 * 1024 } : {};
  return defineService({
    history: { durable, ...bounds },
    handleIncoming(client, message, _state, service) {
      if (typeof message !== "string" || isSilent(message)) return;
      const order = parseOrder(message);
      if (order === undefined) client.send(message);
      else if (order.isDirect) for (const text of ordered(order)) service.publish(text);
      else for (const text of ordered(order)) broadcast("bench", text);
    },
  });
}
