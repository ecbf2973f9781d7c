import { realpathSync } from "node:fs";
import path from "node:path";
import { AutobuildError, show } from "../errors.ts";
import { expectRepository } from "../git/expect-repository.ts";
import { parseSource, type RepositorySource } from "../git/source.ts";
import type { AddedStore } from "../store/added-store.ts";

/** The repositories that are to be built: those given at the start, and those added since, which outlive a restart. */
export class RepositoryList {
  /** Each once, as at the start. */
  readonly sources: readonly RepositorySource[];
  /** One that was added may lie outside of the folders that are allowed now: the others are built. */
  readonly refusals: readonly AutobuildError[];
  readonly #given: readonly RepositorySource[];
  readonly #roots: readonly string[] | undefined;
  readonly #added: AddedStore;

  /** @param roots folders in which repositories on this machine must lie; undefined: anywhere */
  constructor(
    given: readonly RepositorySource[],
    roots: readonly string[] | undefined,
    added: AddedStore,
  ) {
    this.#given = given;
    this.#roots = roots;
    this.#added = added;
    const sources = [...given];
    const refusals: AutobuildError[] = [];
    for (const location of added.all()) {
      try {
        sources.push(this.#parse(location));
      } catch (error) {
        if (!(error instanceof AutobuildError)) throw error;
        refusals.push(error);
      }
    }
    this.sources = [...new Map(sources.map((source) => [source.label, source])).values()];
    this.refusals = refusals;
  }

  /** Adds one. Rejects with `AUTOBUILD_BAD_SOURCE` for what is none, for a relative path, and for a URL with a password. */
  async add(text: string, nowMs: number): Promise<RepositorySource> {
    const source = this.#parse(text);
    const isRelative = source.type === "path" && !path.isAbsolute(text);
    if (isRelative || hasPassword(source)) {
      throw new AutobuildError(
        "AUTOBUILD_BAD_SOURCE",
        `Expected an absolute path, or a URL without user name and password, got ${show(source.label)}. Keep passwords where git finds them: a credential helper, or an SSH key.`,
      );
    }
    await expectRepository(source);
    this.#added.add(source.location, nowMs);
    return source;
  }

  /** Whether `remove` takes it. */
  isAdded(label: string): boolean {
    const isGiven = this.#given.some((source) => source.label === label);
    return !isGiven && this.#added.all().some((location) => this.#labelOf(location) === label);
  }

  /**
   * Takes `add` back, by its location or its label, and gives the label. Throws `AUTOBUILD_BAD_SOURCE` for one that was
   * given at the start, too.
   */
  remove(text: string): string {
    const location = this.#roots === undefined ? text : realPathOr(text);
    const locations = this.#added.all();
    const found =
      [text, location].find((each) => locations.includes(each)) ??
      locations.find((each) => this.#labelOf(each) === text);
    const isGiven = this.#given.some(({ label }) => label === text || label === location);
    if (found === undefined || isGiven) {
      const others = locations.length === 0 ? "none is" : `these are: ${locations.join(", ")}`;
      throw new AutobuildError(
        "AUTOBUILD_BAD_SOURCE",
        `Expected a repository that was added, got ${show(text)}, ${isGiven ? "with which AutoBuild was started. Start it without" : `and ${others}`}.`,
      );
    }
    this.#added.remove(found);
    return this.#labelOf(found);
  }

  /** One that is not allowed any more has no other name than its location. */
  #labelOf(location: string): string {
    try {
      return this.#parse(location).label;
    } catch {
      return location;
    }
  }

  #parse(text: string): RepositorySource {
    return parseSource(text, process.cwd(), this.#roots);
  }
}

/** The user of ssh is no secret; that of a web address may be a token. */
function hasPassword({ type, location }: RepositorySource): boolean {
  const url = type === "url" ? URL.parse(location) : null;
  if (url === null) return false;
  return url.password !== "" || (/^https?:$/.test(url.protocol) && url.username !== "");
}

/** A path with its links resolved, as it is kept where it must lie in some folders. */
function realPathOr(location: string): string {
  try {
    return realpathSync(location);
  } catch {
    return location;
  }
}
