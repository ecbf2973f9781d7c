import { deserialize, serialize } from "node:v8";
import { EncodeError } from "../errors.ts";
import { ServiceClient } from "./service-client.ts";

/** What stands for a client in a saved state. */
interface SavedClient {
  readonly "windsock:client": string;
}

/**
 * Saves and loads states: whatever structured clone can copy, and clients, which are
 * saved as their ids. A client that is gone when the state is loaded is a gone one there.
 */
export class StateCodec {
  readonly #revive: (id: string) => ServiceClient;

  constructor(revive: (id: string) => ServiceClient) {
    this.#revive = revive;
  }

  save(state: unknown, address: string): Uint8Array {
    try {
      return serialize(
        mapClients(state, (client): SavedClient => ({ "windsock:client": client.id })),
      );
    } catch (error) {
      throw new EncodeError(
        `Expected the state of ${address} to be data that structured clone can copy, got: ${String(error)}. Give \`state.save\` and \`state.load\` for what it cannot hold.`,
        { cause: error },
      );
    }
  }

  load(bytes: Uint8Array): unknown {
    const revived = (value: unknown): unknown =>
      isSavedClient(value) ? this.#revive(value["windsock:client"]) : undefined;
    return mapValues(deserialize(bytes), revived);
  }
}

function mapClients(value: unknown, save: (client: ServiceClient) => SavedClient): unknown {
  return mapValues(value, (one) => (one instanceof ServiceClient ? save(one) : undefined));
}

/** A copy of the containers, with some values replaced. What has other prototypes is left to structured clone. */
function mapValues(
  value: unknown,
  replace: (value: unknown) => unknown,
  seen: Map<object, unknown> = new Map(),
): unknown {
  if (typeof value !== "object" || value === null) return value;
  const replaced = replace(value);
  if (replaced !== undefined) return replaced;
  const known = seen.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    for (const one of value as readonly unknown[]) copy.push(mapValues(one, replace, seen));
    return copy;
  }
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>();
    seen.set(value, copy);
    for (const [key, one] of value)
      copy.set(mapValues(key, replace, seen), mapValues(one, replace, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>();
    seen.set(value, copy);
    for (const one of value) copy.add(mapValues(one, replace, seen));
    return copy;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy: Record<string, unknown> = {};
  seen.set(value, copy);
  for (const [name, one] of Object.entries(value)) copy[name] = mapValues(one, replace, seen);
  return copy;
}

function isSavedClient(value: unknown): value is SavedClient {
  return (
    typeof value === "object" &&
    value !== null &&
    "windsock:client" in value &&
    typeof value["windsock:client"] === "string"
  );
}
