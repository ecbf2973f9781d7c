import type { StandardSchemaV1 } from "@standard-schema/spec";
import { OptionError } from "../errors.ts";
import type { HistoryLimits, ServiceLimits } from "../protocol/limits.ts";
import type { CloseReason } from "../protocol/port.ts";
import type { PresenceDefinition } from "./presence.ts";
import type { AnyService, CallDeclarations, TerminateReason, UpgradeRequest } from "./types.ts";
import { describe } from "./value.ts";

/** A definition as the runtime calls it: the types were the author's business. */
export interface ErasedDefinition {
  readonly params: readonly string[];
  readonly incoming: StandardSchemaV1 | undefined;
  readonly calls: CallDeclarations;
  readonly history: HistoryLimits;
  readonly limits: ServiceLimits;
  /** Undefined: nobody is told who is there. */
  readonly presence: PresenceDefinition | undefined;
  /** The key of a published message, of which only the newest is of interest to who comes late. */
  readonly latest: ((message: unknown) => unknown) | undefined;
  /** Log, memberships and what was handled outlive the process. */
  readonly isDurable: boolean;
  /** How long what is stored of an actor that has ended is kept. */
  readonly keepMs: number;
  readonly state: {
    /** The state does too. */
    readonly durable: boolean;
    readonly save: ((state: unknown) => unknown) | undefined;
    readonly load: ((saved: unknown) => unknown) | undefined;
  };
  readonly protocols: readonly string[];
  readonly key: StandardSchemaV1 | undefined;
  readonly onCrash: "restart" | "keep";
  readonly authorize: ((request: UpgradeRequest) => unknown) | undefined;
  readonly init: ((service: unknown) => unknown) | undefined;
  readonly handleJoin: ((client: unknown, state: unknown, service: unknown) => unknown) | undefined;
  readonly handleDrop: ((client: unknown, state: unknown, service: unknown) => unknown) | undefined;
  readonly handleResume:
    | ((client: unknown, state: unknown, service: unknown) => unknown)
    | undefined;
  /** With one parameter: the same for all clients. */
  readonly snapshot: ((state: unknown, client: unknown) => unknown) | undefined;
  readonly handleClose:
    | ((client: unknown, reason: CloseReason, state: unknown, service: unknown) => unknown)
    | undefined;
  readonly handleIncoming:
    | ((client: unknown, message: unknown, state: unknown, service: unknown) => unknown)
    | undefined;
  readonly handleBroadcast:
    | ((message: unknown, state: unknown, service: unknown) => unknown)
    | undefined;
  readonly handleInfo: ((info: unknown, state: unknown, service: unknown) => unknown) | undefined;
  readonly handleCall: Readonly<
    Record<string, (client: unknown, request: unknown, state: unknown, service: unknown) => unknown>
  >;
  readonly terminate:
    | ((reason: TerminateReason, state: unknown, service: unknown) => unknown)
    | undefined;
}

/** What `defineService` gives. */
export class DefinedService {
  readonly kind = "service";
  readonly definition: ErasedDefinition;
  constructor(definition: ErasedDefinition) {
    this.definition = definition;
  }
}

/** Whether a value came from `defineService`, of this or another copy of the package. */
export function isService(
  value: unknown,
): value is AnyService & { readonly definition: ErasedDefinition } {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    value.kind === "service" &&
    "definition" in value
  );
}

/** The definition behind a service. */
export function definitionOf(service: AnyService): ErasedDefinition {
  if (!isService(service)) {
    throw new OptionError(
      `Expected a service made with \`defineService({...})\`, got ${describe(service)}.`,
    );
  }
  return service.definition;
}

/** The key of a published message: it replaces the one before with the same key. */
export function latestKeyOf({ latest }: ErasedDefinition, message: unknown): string | undefined {
  if (latest === undefined) return undefined;
  const key = latest(message);
  if (key === undefined || typeof key === "string") return key;
  throw new OptionError(
    `Expected \`history.latest\` to give a string, or nothing for a message that replaces none, got ${describe(key)}.`,
  );
}
