import {
  admissionOptions,
  admit,
  type AdmissionLoad,
  type AdmissionOptions,
} from "../src/gateway/admission.ts";
import { RouteTable } from "../src/gateway/route-table.ts";
import { routesFromFiles } from "../src/gateway/routes.ts";

const routes = new RouteTable(routesFromFiles(["status.ts", "chat.ts", "room/[id].ts"]));
const idle: AdmissionLoad = { connections: 0, connectionsOfAddress: 0, isDraining: false };

/** An upgrade request, as far as it differs from a good one. */
export interface Attempt {
  method?: string;
  url?: string;
  httpVersion?: string;
  secure?: boolean;
  /** Replaces a field of the good request; null leaves it out, a list sends it several times. */
  headers?: Record<string, string | null | string[]>;
  load?: Partial<AdmissionLoad>;
  options?: Partial<AdmissionOptions>;
  /** What the service `chat` lists. */
  listed?: string[];
}

/** Has the request decided on by all rules in their order. */
export function attempt(given: Attempt = {}) {
  const fields: Record<string, string | null | string[]> = {
    Host: "localhost:8001",
    Upgrade: "websocket",
    Connection: "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...given.headers,
  };
  const rawHeaders = Object.entries(fields).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().flatMap((each) => [name, each]),
  );
  return admit(
    {
      method: given.method ?? "GET",
      url: given.url ?? "/websocket/status",
      httpVersion: given.httpVersion ?? "1.1",
      secure: given.secure ?? false,
      rawHeaders,
    },
    {
      routes,
      load: { ...idle, ...given.load },
      options: admissionOptions(given.options),
      protocolsOf: (route) => (route.name === "chat" ? (given.listed ?? []) : []),
    },
  );
}

export function refusal(given: Attempt) {
  const decision = attempt(given);
  if (decision.type !== "refuse") throw new Error("expected a refusal, got an admission");
  return decision;
}

export function admission(given: Attempt = {}) {
  const decision = attempt(given);
  if (decision.type !== "admit") throw new Error(`expected an admission, got ${decision.body}`);
  return decision;
}
