import type { Service } from "../src/service/types.ts";

/** Anything goes in, anything comes out. */
export type AnyTyped = Service<{
  incoming: unknown;
  outgoing: unknown;
  broadcast: unknown;
  info: unknown;
  calls: Record<string, { request: unknown; response: unknown }>;
  params: {};
}>;
