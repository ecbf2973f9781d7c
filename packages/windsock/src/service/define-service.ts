import type { StandardSchemaV1 } from "@standard-schema/spec";
import { OptionError } from "../errors.ts";
import { defaultHistoryLimits, defaultServiceLimits } from "../protocol/limits.ts";
import type { PresenceEntry } from "../protocol/v1/index.ts";
import { checkedLimits } from "./checked-limits.ts";
import { DefinedService, type ErasedDefinition } from "./definition.ts";
import { nearest } from "./nearest.ts";
import type { Primitive } from "./outcome.ts";
import type { PresenceDefinition } from "./presence.ts";
import type { AnySchema, InputOf, OutputOf, Sendable, Unchecked } from "./schema.ts";
import type {
  CallDeclarations,
  CallsOf,
  NeedsHandlers,
  NeedsInit,
  ParamsOf,
  Service,
  ServiceDefinition,
} from "./types.ts";
import { describe } from "./value.ts";

/** A page that is loaded again leaves and joins within this time, in ms. */
const defaultLingerMs = 2000;

const callbackNames = [
  "authorize",
  "init",
  "handleJoin",
  "handleDrop",
  "handleResume",
  "handleClose",
  "snapshot",
  "handleIncoming",
  "handleBroadcast",
  "handleInfo",
  "terminate",
] as const;
const optionNames = [
  "incoming",
  "outgoing",
  "info",
  "calls",
  "history",
  "state",
  "limits",
  "protocols",
  "key",
  "onCrash",
  "presence",
  "params",
  "handleCall",
] as const;
const knownNames: ReadonlySet<string> = new Set([...callbackNames, ...optionNames]);

/** A service: an actor with a URL. The file's default export; `src/websocket/status.ts` is served at `/websocket/status`. */
export function defineService<
  State = undefined,
  User = undefined,
  const P extends readonly string[] = [],
  In extends StandardSchemaV1 = never,
  Out extends AnySchema = never,
  Broadcast = InputOf<Out, Sendable>,
  Info = never,
  Calls extends CallDeclarations = {},
  L extends Primitive = never,
  M extends Primitive = never,
  Entry extends { readonly id: string } = PresenceEntry,
>(
  definition: { readonly params?: P } & ServiceDefinition<
    State,
    User,
    ParamsOf<P>,
    In,
    Out,
    Broadcast,
    Info,
    Calls,
    L,
    M,
    Entry
  > &
    NeedsInit<State> &
    NeedsHandlers<Calls>,
): Service<{
  incoming: InputOf<In, Unchecked>;
  outgoing: OutputOf<Out, Sendable>;
  broadcast: Broadcast;
  info: Info;
  calls: CallsOf<Calls>;
  params: ParamsOf<P>;
  presence: Entry;
}> {
  return new DefinedService(erase(definition as Readonly<Record<string, unknown>>));
}

function erase(given: Readonly<Record<string, unknown>>): ErasedDefinition {
  for (const name of Object.keys(given)) {
    if (!knownNames.has(name)) throw new OptionError(unknownName(name));
  }
  for (const name of callbackNames) {
    if (given[name] !== undefined && typeof given[name] !== "function") {
      throw new OptionError(`Expected \`${name}\` to be a function, got ${describe(given[name])}.`);
    }
  }
  if (given["incoming"] !== undefined && !isSchema(given["incoming"])) {
    throw new OptionError(
      `Expected \`incoming\` to be a Standard Schema (of zod, valibot, arktype, ...), got ${describe(given["incoming"])}. A type alone checks nothing.`,
    );
  }
  if (given["key"] !== undefined && !isSchema(given["key"])) {
    throw new OptionError(
      `Expected \`key\` to be a Standard Schema, got ${describe(given["key"])}.`,
    );
  }
  const onCrash = given["onCrash"] ?? "restart";
  if (onCrash !== "restart" && onCrash !== "keep")
    throw new OptionError(
      `Expected \`onCrash\` to be "restart" or "keep", got ${describe(onCrash)}.`,
    );
  const calls = (given["calls"] ?? {}) as CallDeclarations;
  const handleCall = (given["handleCall"] ?? {}) as ErasedDefinition["handleCall"];
  for (const name of Object.keys(calls)) {
    checkCall(name, calls[name]);
    if (!Object.hasOwn(handleCall, name) || typeof handleCall[name] !== "function") {
      throw new OptionError(
        `Expected a handler for each declared call, got none for \`${name}\`. Add \`handleCall: { ${name}(client, request, state, service) { return reply(...); } }\`.`,
      );
    }
  }
  for (const name of Object.keys(handleCall)) {
    if (!Object.hasOwn(calls, name))
      throw new OptionError(
        `Expected every handler in \`handleCall\` to have a declaration in \`calls\`, got \`${name}\`. Add \`calls: { ${name}: {} }\`.`,
      );
  }
  const state = stateOf(given["state"], isDurable("history", given["history"]));
  const history = checkedLimits("history", defaultHistoryLimits, onlyLimits(given["history"]));
  return Object.freeze({
    ...(given as unknown as ErasedDefinition),
    params: (given["params"] ?? []) as readonly string[],
    protocols: (given["protocols"] ?? []) as readonly string[],
    calls,
    handleCall,
    onCrash,
    presence: presenceOf(given["presence"]),
    isDurable: isDurable("history", given["history"]),
    state,
    latest: latestOf(given["history"]),
    history,
    keepMs: keepOf(given["history"]) ?? (state.durable ? Infinity : history.ageMs),
    limits: checkedLimits("limits", defaultServiceLimits, given["limits"]),
  });
}

function unknownName(name: string): string {
  const meant = nearest(name, knownNames);
  return meant === undefined
    ? `Expected the keys of a service to be among ${[...knownNames].join(", ")}, got \`${name}\`.`
    : `Expected the keys of a service to be those of \`defineService\`, got \`${name}\`. Did you mean \`${meant}\`?`;
}

function checkCall(name: string, call: unknown): void {
  if (typeof call !== "object" || call === null)
    throw new OptionError(
      `Expected \`calls.${name}\` to be an object, got ${describe(call)}. Write \`{}\` where there is no request.`,
    );
  const { request } = call as { readonly request?: unknown };
  if (request !== undefined && !isSchema(request))
    throw new OptionError(
      `Expected \`calls.${name}.request\` to be a Standard Schema (of zod, valibot, arktype, ...), got ${describe(request)}. A type alone checks nothing.`,
    );
}

function presenceOf(given: unknown): PresenceDefinition | undefined {
  if (given === undefined || given === false) return undefined;
  if (given === true) return { entry: undefined, lingerMs: defaultLingerMs };
  const { entry, lingerMs = defaultLingerMs } = given as Partial<PresenceDefinition>;
  if (entry !== undefined && typeof entry !== "function")
    throw new OptionError(
      `Expected \`presence.entry\` to be a function from a client to an object with an \`id\`, got ${describe(entry)}.`,
    );
  if (!Number.isSafeInteger(lingerMs) || lingerMs < 0)
    throw new OptionError(
      `Expected \`presence.lingerMs\` to be an integer of at least 0, got ${describe(lingerMs)}.`,
    );
  return { entry, lingerMs };
}

function isDurable(option: string, given: unknown): boolean {
  if (typeof given !== "object" || given === null || !("durable" in given)) return false;
  const { durable } = given;
  if (durable === undefined || typeof durable === "boolean") return durable === true;
  throw new OptionError(
    `Expected \`${option}.durable\` to be true or false, got ${describe(durable)}.`,
  );
}

function keepOf(given: unknown): number | undefined {
  if (typeof given !== "object" || given === null || !("keepMs" in given)) return undefined;
  const { keepMs } = given;
  if (keepMs === undefined) return undefined;
  if (typeof keepMs !== "number" || !Number.isSafeInteger(keepMs) || keepMs < 1)
    throw new OptionError(
      `Expected \`history.keepMs\` to be an integer of at least 1, got ${describe(keepMs)}.`,
    );
  if (!isDurable("history", given))
    throw new OptionError(
      "Expected `history.keepMs` together with `history.durable: true`, got it alone. A log in memory is kept for `history.ageMs`.",
    );
  return keepMs;
}

function latestOf(given: unknown): ErasedDefinition["latest"] {
  if (typeof given !== "object" || given === null || !("latest" in given)) return undefined;
  const { latest } = given;
  if (latest === undefined || typeof latest === "function")
    return latest as ErasedDefinition["latest"];
  throw new OptionError(
    `Expected \`history.latest\` to be a function from a message to its key, got ${describe(latest)}.`,
  );
}

/** The numbers of `history`, without its other options. */
function onlyLimits(given: unknown): unknown {
  if (typeof given !== "object" || given === null) return given;
  const others = ["durable", "keepMs", "latest"];
  return Object.fromEntries(Object.entries(given).filter(([name]) => !others.includes(name)));
}

function stateOf(given: unknown, isHistoryDurable: boolean): ErasedDefinition["state"] {
  const durable = isDurable("state", given);
  if (durable && !isHistoryDurable)
    throw new OptionError(
      "Expected `state: { durable: true }` together with `history: { durable: true }`, got it alone. A state without its log and memberships could not be told apart from an older one.",
    );
  const { save, load } = (given ?? {}) as Partial<ErasedDefinition["state"]>;
  if ((save === undefined) !== (load === undefined))
    throw new OptionError(
      `Expected \`state.save\` and \`state.load\` together, got only \`${save === undefined ? "load" : "save"}\`.`,
    );
  return { durable, save, load };
}

function isSchema(value: unknown): boolean {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    "~standard" in value
  );
}
