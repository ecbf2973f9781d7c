import type { Build } from "../build/build.ts";

/** How many a snapshot and an answer of `/api/builds` bring. */
export const buildsPerPage = 50;
const maxListed = 500;

/** The builds that the page knows: the newest ones without a hole, and perhaps one older that was asked for. */
export class KnownBuilds {
  #listed: Build[] = [];
  #extra: Build | undefined;
  /** Whether the server may have older ones, and there is room for them. */
  hasOlder = false;

  /** Newest first. */
  get listed(): readonly Build[] {
    return this.#listed;
  }

  get(id: number): Build | undefined {
    return this.#extra?.id === id ? this.#extra : this.#listed.find((build) => build.id === id);
  }

  /** What runs, else what ran last: that is what the live console shows. */
  get live(): Build | undefined {
    const started = this.#listed.filter(({ startedMs }) => startedMs !== null);
    return started.findLast(({ state }) => state === "running") ?? started[0];
  }

  snapshot(builds: readonly Build[]): void {
    this.#listed = [...builds];
    this.#extra = undefined;
    this.hasOlder = builds.length >= buildsPerPage;
  }

  change(build: Build): void {
    if (this.#extra?.id === build.id) this.#extra = build;
    const index = this.#listed.findIndex(({ id }) => id <= build.id);
    if (this.#listed[index]?.id === build.id) this.#listed[index] = build;
    else if (index >= 0) this.#listed.splice(index, 0, build);
    // One that is older than all that are listed would leave a hole, unless there is none to leave.
    else if (!this.hasOlder) this.#listed.push(build);
    if (this.#listed.length > maxListed) this.#listed.length = maxListed;
  }

  /** One that somebody asked for by its number. */
  found(build: Build): void {
    this.#extra = build;
  }

  /** The page after the last one that is listed. */
  older(builds: readonly Build[]): void {
    const last = this.#listed.at(-1)?.id ?? Infinity;
    this.#listed.push(...builds.filter(({ id }) => id < last));
    this.hasOlder = builds.length >= buildsPerPage && this.#listed.length < maxListed;
  }
}
