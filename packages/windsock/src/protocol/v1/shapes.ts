import type { ClientEnvelope, ServerEnvelope } from "./envelope.ts";

/** The fields of one kind, in the order of the array's elements. `payload`, where there is one, is last. */
type Shape<E> = E extends unknown ? readonly Exclude<keyof E, "type">[] : never;

export type Shapes<E extends { readonly type: string }> = {
  readonly [T in E["type"]]: Shape<Extract<E, { readonly type: T }>>;
};

export const clientShapes: Shapes<ClientEnvelope> = {
  join: ["channel", "path", "options"],
  send: ["channel", "n", "payload"],
  call: ["channel", "n", "name", "timeoutMs", "payload"],
  cancel: ["channel", "n"],
  ack: ["channel", "count"],
  auth: ["channel", "payload"],
  leave: ["channel"],
  ping: ["payload"],
};

export const serverShapes: Shapes<ServerEnvelope> = {
  joined: ["channel", "info"],
  log: ["channel", "log", "topic", "seq"],
  unlog: ["channel", "log"],
  pub: ["log", "seq", "payload"],
  msg: ["channel", "payload"],
  reply: ["channel", "n", "payload"],
  error: ["channel", "n", "code", "message", "detail"],
  done: ["channel", "n"],
  credit: ["channel", "bytes"],
  snapshot: ["channel", "seq", "payload"],
  at: ["channel", "seq", "count"],
  restarted: ["log", "seq"],
  tail: ["channel", "topic", "offset", "payload"],
  presence: ["channel", "seq", "changes"],
  closed: ["channel", "closeCode", "reason", "how"],
  draining: ["windowMs"],
  authed: ["channel"],
  pong: ["payload"],
};
