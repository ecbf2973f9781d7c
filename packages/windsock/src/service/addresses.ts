import { UnknownServiceError } from "../errors.ts";
import { isService, type ErasedDefinition } from "./definition.ts";
import type { AnyService } from "./types.ts";
import { describe } from "./value.ts";

/** How names and addresses belong together; the routes know. */
export interface AddressBook {
  /** `room/42` -> `room/[id]` and `{ id: "42" }`; undefined: no service has it. */
  parse(
    address: string,
  ): { readonly name: string; readonly params: Readonly<Record<string, string>> } | undefined;
  /** `room/[id]` and `{ id: "42" }` -> `room/42`. Throws when params are missing or too long. */
  format(name: string, params: Readonly<Record<string, string>>): string;
}

type Params = Readonly<Record<string, string>>;

/** One actor, whether or not it runs. */
export interface Place {
  readonly name: string;
  readonly params: Params;
  readonly address: string;
}

/** A service, its name or address, or one made with `at`. */
export type AnyTarget = string | AnyService;

/** The services of a host by name, and what their actors are addressed by. */
export class Addresses {
  readonly #book: AddressBook;
  readonly #definitions: ReadonlyMap<string, ErasedDefinition>;
  readonly #names: ReadonlyMap<ErasedDefinition, readonly string[]>;

  constructor(book: AddressBook, definitions: ReadonlyMap<string, ErasedDefinition>) {
    this.#book = book;
    this.#definitions = definitions;
    const names = new Map<ErasedDefinition, string[]>();
    for (const [name, definition] of definitions)
      names.set(definition, [...(names.get(definition) ?? []), name]);
    this.#names = names;
  }

  parse(address: string): ReturnType<AddressBook["parse"]> {
    return this.#book.parse(address);
  }

  /** @throws UnknownServiceError for what this host does not run, and for a keyed service without a key */
  find(target: AnyTarget): Place {
    if (typeof target === "string") {
      const found = this.#book.parse(target);
      if (found === undefined) {
        throw new UnknownServiceError(
          `Expected the name of a service (${[...this.#definitions.keys()].join(", ") || "there is none"}), got ${describe(target)}.`,
        );
      }
      return this.#place(found.name, found.params);
    }
    const [name, another] = isService(target) ? (this.#names.get(target.definition) ?? []) : [];
    if (another !== undefined)
      throw new UnknownServiceError(
        `Expected a service with one name, got one that is served as ${name} and ${another}. Say which by its name.`,
      );
    if (name === undefined)
      throw new UnknownServiceError(
        "Expected a service that this server runs, got another one. Is its file in the services folder, or in `services`?",
      );
    const params = "params" in target ? (target.params as Params) : {};
    const keys = this.#definitions.get(name)?.params ?? [];
    if (keys.length > 0 && Object.keys(params).length === 0) {
      throw new UnknownServiceError(
        `Expected a key for ${name}, got none. Address one actor with \`at(service, { ${keys.join(", ")} })\` or by name.`,
      );
    }
    return this.#place(name, params);
  }

  #place(name: string, params: Params): Place {
    return { name, params, address: this.#book.format(name, params) };
  }
}
