import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { systemClock, type Clock } from "../actor/clock.ts";
import { OptionError } from "../errors.ts";
import { admissionOptions, type AdmissionOptions } from "../gateway/admission.ts";
import { publishTokens } from "../gateway/publish.ts";
import { normalizeBase } from "../gateway/routes.ts";
import { defaultLimits, type Limits } from "../protocol/limits.ts";
import { checkedLimits } from "../service/checked-limits.ts";
import { didYouMean } from "../service/nearest.ts";
import { formatReport, type Report } from "../service/report.ts";
import type { AnyService } from "../service/types.ts";
import { describe } from "../service/value.ts";
import { checkSessionSecret } from "./session-cookie.ts";

/** Options of `createServer` and `attach`. None may change while the server runs. */
export interface ServerOptions {
  /** The services: a folder of files, or values by name (`{ status, "room/[id]": room }`). @default "src/websocket" */
  readonly services?: string | Readonly<Record<string, AnyService>>;
  /** @default 8001, or the variable `PORT`; 0: any free one */
  readonly port?: number;
  /** The address to listen on. Others than loopback make the server reachable from outside. @default "127.0.0.1" */
  readonly host?: string;
  /** The path that all URLs lie below: `/app` gives `/app/websocket/status`. @default "" */
  readonly base?: string;
  /** Origins of other sites whose pages may connect: `["https://example.com"]`, or `"*"`. @default [] (only the same origin) */
  readonly origins?: readonly string[] | "*";
  /** Names that the server may be called by in `Host`. @default [] (bound to loopback: loopback names; else any) */
  readonly allowedHosts?: readonly string[] | "*";
  /** Signs the session cookie: at least 32 characters; several while one is replaced. @default the variable `WINDSOCK_SECRET`, else a new one at each start */
  readonly sessionSecret?: string | readonly string[];
  /** Who may broadcast by `POST`: at least 16 characters; several while one is replaced. @default the variable `WINDSOCK_TOKEN`, else nobody */
  readonly publishToken?: string | readonly string[];
  /** Where durable services (`history: { durable: true }`) keep what outlives the process: an SQLite file, one server at a time. @default ".windsock/history.sqlite" */
  readonly historyFile?: string;
  /** What a durable commit survives: `"normal"` the death of the process, `"full"` a power failure too, at a price. @default "normal" */
  readonly historySync?: "normal" | "full";
  /** Compresses messages of `thresholdBytes` (1024) and more for clients that offer it (RFC 7692): a broadcast once for all of them. See the guide on security before use. @default false */
  readonly compression?: boolean | { readonly thresholdBytes?: number };
  /**
   * How long clients of `windsock.v1` have to move to another server when this one stops, in ms: it serves
   * them until then. At most half of `limits.drainTimeoutMs`. 0: they are closed as soon as what came is done.
   * @default 0
   */
  readonly drainWindowMs?: number;
  /** Bounds, each with its answer. */
  readonly limits?: Partial<Limits>;
  /** Answers the requests that are not for a service: pages, an API. */
  readonly request?: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * What `GET /healthz` says of the app besides, asked at each such request. Not ready, or thrown: 503.
   * Anybody may ask; keep what is not for everybody out of it.
   * @default the server alone
   */
  readonly health?: () => AppHealth;
  /** A folder of files to serve, looked at before `request`. @default none */
  readonly publicFolder?: string;
  /** Told of everything that went wrong and was survived. @default a line on stderr */
  readonly onReport?: (report: Report) => void;
  /** The time that the server lives in; tests give a virtual one. */
  readonly clock?: Clock;
}

/** How an app says that it does. */
export interface AppHealth {
  /** Whether requests should come here now. */
  readonly isReady: boolean;
  /** Plain JSON; it comes as `app`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Options with their defaults, checked and frozen. */
export interface ResolvedOptions {
  readonly services: string | Readonly<Record<string, AnyService>>;
  readonly port: number;
  readonly host: string;
  readonly base: string;
  readonly admission: AdmissionOptions;
  readonly sessionSecret: readonly string[];
  readonly publishTokens: readonly string[];
  readonly historyFile: string;
  readonly historySync: "normal" | "full";
  /** The length from which messages are compressed; undefined: none is. */
  readonly compressionThresholdBytes: number | undefined;
  readonly drainWindowMs: number;
  readonly limits: Limits;
  readonly request: ServerOptions["request"];
  readonly health: ServerOptions["health"];
  readonly publicFolder: string | undefined;
  readonly onReport: (report: Report) => void;
  readonly clock: Clock;
}

const defaultPort = 8001;

/** What each option has to be, where nothing below looks closer. */
const kinds: Readonly<Record<keyof ServerOptions, Kind | undefined>> = {
  services: {
    is: (value) => typeof value === "string" || isRecord(value),
    text: 'a folder, or services by name (`{ status, "room/[id]": room }`)',
  },
  port: undefined,
  host: { is: isText, text: 'an address such as "127.0.0.1"' },
  base: undefined,
  origins: undefined,
  allowedHosts: undefined,
  sessionSecret: undefined,
  publishToken: undefined,
  historyFile: { is: isText, text: "the path of a file" },
  historySync: undefined,
  compression: undefined,
  drainWindowMs: undefined,
  limits: undefined,
  request: { is: isFunction, text: "a function of a request and a response" },
  health: { is: isFunction, text: "a function that gives `{ isReady, details }`" },
  publicFolder: { is: isText, text: "the path of a folder" },
  onReport: { is: isFunction, text: "a function of a report" },
  clock: {
    is: (value) => isRecord(value) && isFunction(value["now"]) && isFunction(value["setTimeout"]),
    text: "a clock with `now()` and `setTimeout(run, ms)`, such as `VirtualClock` of windsock/testing",
  },
};

interface Kind {
  readonly is: (value: unknown) => boolean;
  readonly text: string;
}

export function resolveOptions(given: ServerOptions): ResolvedOptions {
  checkKinds(given);
  const limits = checkedLimits("limits", defaultLimits, given.limits);
  const host = given.host ?? "127.0.0.1";
  const onReport = given.onReport ?? ((report: Report) => console.error(formatReport(report)));
  return Object.freeze({
    services: given.services ?? "src/websocket",
    port: checkPort("`port`", given.port ?? portOf(process.env["PORT"])),
    host,
    base: normalizeBase(given.base),
    admission: admissionOptions({
      host,
      ...(given.origins === undefined ? {} : { origins: given.origins }),
      ...(given.allowedHosts === undefined ? {} : { allowedHosts: given.allowedHosts }),
      maxConnections: limits.maxConnections,
      maxConnectionsPerAddress: limits.maxConnectionsPerAddress,
    }),
    sessionSecret: checkSessionSecret(
      given.sessionSecret ??
        process.env["WINDSOCK_SECRET"] ??
        randomBytes(32).toString("base64url"),
    ),
    publishTokens: publishTokens(given.publishToken ?? process.env["WINDSOCK_TOKEN"]),
    historyFile: given.historyFile ?? ".windsock/history.sqlite",
    historySync: syncOf(given.historySync),
    compressionThresholdBytes: thresholdOf(given.compression),
    drainWindowMs: drainWindowOf(given.drainWindowMs, limits),
    limits,
    request: given.request,
    health: given.health,
    publicFolder: given.publicFolder,
    onReport: guarded(onReport),
    clock: given.clock ?? systemClock,
  });
}

function checkKinds(given: unknown): void {
  if (!isRecord(given))
    throw new OptionError(`Expected the server's options to be an object, got ${describe(given)}.`);
  const names = Object.keys(kinds);
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(kinds, name))
      throw new OptionError(
        `Expected the server's options to be among ${names.join(", ")}, got \`${name}\`.${didYouMean(name, names)}`,
      );
    const kind = kinds[name as keyof ServerOptions];
    if (value === undefined || kind === undefined || kind.is(value)) continue;
    throw new OptionError(`Expected \`${name}\` to be ${kind.text}, got ${describe(value)}.`);
  }
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function portOf(text: string | undefined): number {
  if (text === undefined || text.trim() === "") return defaultPort;
  return checkPort("the variable PORT", Number(text), JSON.stringify(text));
}

function checkPort(what: string, port: number, got: string = String(port)): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new OptionError(
    `Expected ${what} to be an integer of 0 to 65535, got ${got}. 0 takes any free one.`,
  );
}

/** A reporter that fails must not take the server with it. */
function guarded(report: (report: Report) => void): (report: Report) => void {
  return (one) => {
    try {
      report(one);
    } catch (error) {
      console.error("windsock: onReport failed", error);
    }
  };
}

const defaultThresholdBytes = 1024;

function thresholdOf(given: unknown): number | undefined {
  if (given === undefined || given === false) return undefined;
  if (given === true) return defaultThresholdBytes;
  const isOptions = typeof given === "object" && given !== null;
  const bytes: unknown = isOptions && "thresholdBytes" in given ? given.thresholdBytes : undefined;
  if (isOptions && bytes === undefined) return defaultThresholdBytes;
  if (typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw new OptionError(
    `Expected \`compression\` to be true, false or { thresholdBytes: an integer of at least 1 }, got ${describe(isOptions ? bytes : given)}.`,
  );
}

/** The other half is for what came, and for closing. */
function drainWindowOf(given: unknown, { drainTimeoutMs }: Limits): number {
  const most = Math.floor(drainTimeoutMs / 2);
  const ms = given ?? 0;
  if (typeof ms === "number" && Number.isSafeInteger(ms) && ms >= 0 && ms <= most) return ms;
  throw new OptionError(
    `Expected \`drainWindowMs\` to be an integer of 0 to ${most}, half of \`limits.drainTimeoutMs\`, got ${describe(given)}.`,
  );
}

function syncOf(given: unknown): "normal" | "full" {
  if (given === undefined || given === "normal") return "normal";
  if (given === "full") return "full";
  throw new OptionError(
    `Expected \`historySync\` to be "normal" or "full", got ${describe(given)}.`,
  );
}
