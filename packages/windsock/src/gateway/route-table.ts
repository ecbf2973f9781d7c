import { RouteError } from "../errors.ts";
import { quote } from "./refusal.ts";
import { normalizeBase, type Route, type RouteOptions, shapeOf } from "./routes.ts";

/** The values of a keyed route's keys, decoded: `{ id: "42" }`. */
export type RouteParams = Readonly<Record<string, string>>;

/** An actor that a path or an address names. */
export interface ServiceMatch {
  readonly type: "service";
  readonly route: Route;
  readonly params: RouteParams;
  /** The one spelling of the actor's name: `status`, `room/42`, `room/a%2Fb`. */
  readonly address: string;
}

/** `hint` is the path that was probably meant: the same without its last slash. */
export interface NoMatch {
  readonly type: "none";
  /** Whether the path lies below `<base>/websocket`, where nobody but us answers. */
  readonly within: boolean;
  readonly hint?: string;
}

/** The path has the shape of a route, and a key that no actor can have. */
export interface BadMatch {
  readonly type: "bad";
  readonly reason: string;
}

export type AddressMatch = ServiceMatch | NoMatch | BadMatch;
/** `multiplex`: `<base>/websocket` itself, one socket for many services. */
export type PathMatch = AddressMatch | { readonly type: "multiplex" };

/** The longest key, in bytes of UTF-8. A longer one is a bad match. */
export const maxKeyBytes = 128;

/** A place in the tree of routes. Maps, so that `__proto__` is a name like any other. */
interface Place {
  readonly statics: Map<string, Place>;
  key: Place | undefined;
  route: Route | undefined;
}

/**
 * Finds the service of a URL or of a name. Immutable: when files come or go, make another.
 *
 * A static name wins over a key: `room/lobby.ts` takes `/websocket/room/lobby` from
 * `room/[id].ts`. Each segment is percent-decoded once, after the path was split at its slashes,
 * so a key may hold a slash (`a%2Fb`) and never reaches another route by it.
 */
export class RouteTable {
  readonly routes: readonly Route[];
  /** `<base>/websocket`, the path of the endpoint that carries many services. */
  readonly root: string;
  readonly #byName: ReadonlyMap<string, Route>;
  readonly #tree: Place = newPlace();
  /** Services without a key, by their address: found without a walk through the tree. */
  readonly #statics = new Map<string, ServiceMatch>();

  constructor(routes: readonly Route[], options: RouteOptions = {}) {
    this.routes = [...routes];
    this.root = `${normalizeBase(options.base)}/websocket`;
    this.#byName = new Map(routes.map((route) => [route.name, route]));
    for (const route of routes) this.#add(route);
  }

  /** Whom the path of a URL names. It is given as it came, percent-encoded. */
  match(pathname: string): PathMatch {
    if (pathname === this.root) return { type: "multiplex" };
    if (!pathname.startsWith(`${this.root}/`)) return { type: "none", within: false };
    if (!pathname.endsWith("/")) return this.parseAddress(pathname.slice(this.root.length + 1));
    const meant = pathname.slice(0, -1);
    const isSomebody =
      meant === this.root ||
      this.parseAddress(meant.slice(this.root.length + 1)).type === "service";
    return isSomebody
      ? { type: "none", within: true, hint: meant }
      : { type: "none", within: true };
  }

  /**
   * Whom a name like `room/42` names. Keys in it are percent-encoded as in a URL: a key with a
   * `/` or a `%` of its own goes through `addressOf`.
   */
  parseAddress(address: string): AddressMatch {
    const known = this.#statics.get(address);
    if (known !== undefined) return known;
    const segments: string[] = [];
    for (const encoded of address.split("/")) {
      const segment = decode(encoded);
      if (segment === undefined) {
        const reason = `Expected percent-encoded UTF-8, got ${quote(encoded)}: encode each key with encodeURIComponent.`;
        return { type: "bad", reason };
      }
      segments.push(segment);
    }
    const route = find(this.#tree, segments, 0);
    if (route === undefined) return { type: "none", within: true };

    const params: [string, string][] = [];
    for (const [index, segment] of route.segments.entries()) {
      if (segment.type === "static") continue;
      const key = segments[index] ?? "";
      const reason = keyFault(segment.param, key);
      if (reason !== undefined) return { type: "bad", reason };
      params.push([segment.param, key]);
    }
    return {
      type: "service",
      route,
      // fromEntries defines own properties, also for `constructor`; nothing is assigned by name.
      params: Object.fromEntries(params),
      address: segments.map(encodeURIComponent).join("/"),
    };
  }

  /**
   * The address of one actor: `addressOf("room/[id]", { id: "42" })` is `room/42`.
   *
   * @throws RouteError for an unknown name, a missing or surplus key, a key that no URL can
   * carry, and a key that a static route has taken (`lobby` beside `room/lobby.ts`)
   */
  addressOf(name: string, params: RouteParams = {}): string {
    const route = this.#byName.get(name);
    if (route === undefined)
      throw new RouteError(`Expected the name of a service, got ${quote(name)}.`);
    const surplus = Object.keys(params).find((each) => !route.params.includes(each));
    if (surplus !== undefined) throw new RouteError(keysExpected(route, `a key ${quote(surplus)}`));

    const segments = route.segments.map((segment) => {
      if (segment.type === "static") return segment.text;
      const key: unknown = Object.hasOwn(params, segment.param) ? params[segment.param] : undefined;
      if (typeof key !== "string") {
        throw new RouteError(keysExpected(route, `${typeof key} for \`${segment.param}\``));
      }
      const fault = keyFault(segment.param, key);
      if (fault !== undefined) throw new RouteError(fault);
      return key;
    });
    const address = segments.map(encodeURIComponent).join("/");
    const taken = find(this.#tree, segments, 0);
    if (taken !== undefined && taken !== route) {
      throw new RouteError(
        `Expected a key of ${name} that no other service has taken, got ${quote(address)}, ` +
          `which is ${taken.file}: choose another key, or rename that file.`,
      );
    }
    return address;
  }

  #add(route: Route): void {
    let place = this.#tree;
    for (const segment of route.segments) {
      if (segment.type === "key") {
        place = place.key ??= newPlace();
        continue;
      }
      let next = place.statics.get(segment.text);
      if (next === undefined) place.statics.set(segment.text, (next = newPlace()));
      place = next;
    }
    if (place.route !== undefined) {
      throw new RouteError(
        `Expected one service for each URL, got ${place.route.file} and ${route.file} ` +
          `for ${shapeOf(route)}: rename or remove one of them.`,
      );
    }
    place.route = route;
    if (route.params.length > 0) return;
    // Names of files need no encoding, and win over any key.
    const address = route.segments
      .map((each) => (each.type === "static" ? each.text : ""))
      .join("/");
    this.#statics.set(address, { type: "service", route, params: Object.freeze({}), address });
  }
}

function newPlace(): Place {
  return { statics: new Map(), key: undefined, route: undefined };
}

/** Visits each place of the tree at most once, so a hostile path costs no more than the routes. */
function find(place: Place, segments: readonly string[], depth: number): Route | undefined {
  const segment = segments[depth];
  if (segment === undefined) return place.route;
  const fixed = place.statics.get(segment);
  const found = fixed && find(fixed, segments, depth + 1);
  return found ?? (place.key && find(place.key, segments, depth + 1));
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function keyFault(param: string, key: string): string | undefined {
  const bytes = Buffer.byteLength(key);
  const expected = `Expected the key \`${param}\` to be`;
  if (key === "") return `${expected} 1 to ${maxKeyBytes} bytes of UTF-8, got nothing.`;
  if (bytes > maxKeyBytes)
    return `${expected} at most ${maxKeyBytes} bytes of UTF-8, got ${bytes}.`;
  if (/\p{Cc}/u.test(key)) return `${expected} free of control characters, got ${quote(key)}.`;
  if (!key.isWellFormed()) return `${expected} well-formed Unicode, got ${quote(key)}.`;
  // A URL parser takes these two for steps in the tree, percent-encoded or not.
  if (key === "." || key === "..")
    return `${expected} something that a URL can carry, got "${key}".`;
  return undefined;
}

function keysExpected(route: Route, came: string): string {
  const expected =
    route.params.length === 0
      ? "no keys"
      : `a string for each of ${route.params.map((each) => `\`${each}\``).join(", ")}`;
  return `Expected ${expected} to address ${route.name}, got ${came}.`;
}
