import type { BuildDetails } from "../build/build-details.ts";
import { hasEnded, type Build } from "../build/build.ts";
import { fetchDetails } from "./build-about.ts";
import { BuildLog, placeOf } from "./build-log.ts";
import { BuildPage, neighbours, noRetryReason } from "./build-page.ts";
import type { Model } from "./model.ts";
import { fetchResults, type BuildResults } from "./results.ts";
import { pathOf, type Route } from "./router.ts";

export type BuildRoute = Extract<Route, { type: "build" }>;

/** What the pane works with. */
export interface PaneParts {
  readonly section: HTMLElement;
  readonly model: Model;
  go(path: string): void;
  /** Something has come that is to be shown. */
  handleChange(): void;
  /** Undefined takes back what was refused before. */
  handleRefusal(message: string | undefined): void;
  /** Said to those who do not see the page. */
  announce(text: string): void;
}

/** The page of a build with all that it fetches: log, tests and files, details; and what can be done there. */
export class BuildPane {
  readonly #parts: PaneParts;
  readonly #page: BuildPage;
  readonly #log: BuildLog;
  #id: number | undefined;
  /** Undefined results: they are on their way, or there is no answer. */
  #results: { readonly key: string; results: BuildResults | undefined } | undefined;
  #details:
    | { readonly key: string; readonly id: number; details: BuildDetails | undefined }
    | undefined;

  constructor(parts: PaneParts) {
    this.#parts = parts;
    const here = (to: Partial<BuildRoute>): void => {
      if (this.#id !== undefined) parts.go(pathOf({ type: "build", id: this.#id, ...to }));
    };
    this.#page = new BuildPage(parts.section, {
      handleRebuild: () => void this.#ask("rebuild"),
      handleRetryFailed: () => void this.#retryFailed(),
      handleCancel: () => void this.#ask("cancel"),
      handleStep: (step) => here({ step }),
      handleTab: (tab) => here({ tab }),
    });
    this.#log = new BuildLog(this.#page.logContainer);
  }

  /** `build` undefined: there is none, or it is not known yet; `note` says which. */
  show(route: Route, build: Build | undefined, note: string, nowMs: number): void {
    const { model } = this.#parts;
    const { id = 0, step, tab }: Partial<BuildRoute> = route.type === "build" ? route : {};
    this.#id = route.type === "build" ? id : undefined;
    if (build !== undefined && model.isLive) {
      void this.#loadResults(build);
      void this.#loadDetails(build);
    }
    this.#page.show(build, {
      id,
      row: build === undefined ? undefined : model.row(build.repositoryId, build.branch),
      note,
      step: route.type === "build" ? chosenStep(build, route) : undefined,
      results: this.#results?.key.startsWith(`${id} `) === true ? this.#results.results : undefined,
      details: this.#details?.id === id ? this.#details.details : undefined,
      tab: tab ?? (step === undefined ? undefined : "log"),
      access: model.access,
      toRetry: this.#toRetry(build),
      nowMs,
    });
  }

  /** Follows the log that the address names, or the one that matters most. */
  openLog(build: Build, route: BuildRoute): void {
    if (build.startedMs === null) this.#log.hide();
    else this.#log.show(build, route);
  }

  closeLog(): void {
    this.#log.hide();
  }

  focusLog(): void {
    this.#page.logContainer.querySelector<HTMLElement>("[tabindex]")?.focus();
  }

  /** Goes to the build of the branch before that one, or after it. False: there is none. */
  goBeside(build: Build, which: "older" | "newer"): boolean {
    const parts = this.#parts;
    const { model } = parts;
    const id = neighbours(build, model.row(build.repositoryId, build.branch))[which];
    if (id !== undefined) parts.go(`/builds/${id}`);
    return id !== undefined;
  }

  /** Tests and files are there when the build has ended. */
  async #loadResults(build: Build): Promise<void> {
    const key = `${build.id} ${build.finishedMs}`;
    if (this.#results?.key === key) return;
    const shown = (this.#results = { key, results: undefined as BuildResults | undefined });
    if (!hasEnded(build) || build.startedMs === null) return;
    shown.results = await fetchResults(build.id);
    // Without an answer there is no connection, and with the next one this is asked again.
    if (shown.results !== undefined) this.#parts.handleChange();
    else if (this.#results === shown) this.#results = undefined;
  }

  /** What is told about a build changes when it starts, and as its steps come and go. */
  async #loadDetails(build: Build): Promise<void> {
    const begun = build.steps.map(({ state }) => state === "waiting");
    const key = JSON.stringify([build.id, build.state, begun]);
    if (this.#details?.key === key) return;
    const before = this.#details?.id === build.id ? this.#details.details : undefined;
    const shown = (this.#details = { key, id: build.id, details: before });
    const details = await fetchDetails(build.id);
    if (details !== undefined) {
      shown.details = details;
      this.#parts.handleChange();
    } else if (this.#details === shown) this.#details = undefined;
  }

  async #ask(what: "rebuild" | "cancel"): Promise<void> {
    const parts = this.#parts;
    const { model } = parts;
    if (this.#id === undefined) return;
    parts.handleRefusal(undefined);
    const build = await model.ask(what, this.#id);
    if (build !== undefined && what === "rebuild") {
      model.builds.change(build);
      parts.go(`/builds/${build.id}`);
    }
    parts.handleChange();
  }

  async #retryFailed(): Promise<void> {
    const parts = this.#parts;
    const { model } = parts;
    const build = this.#id === undefined ? undefined : model.builds.get(this.#id);
    if (build === undefined) return;
    const toRetry = this.#toRetry(build);
    if (!toRetry) return parts.handleRefusal(noRetryReason(build, toRetry));
    parts.handleRefusal(undefined);
    const count = await model.retryFailed(build.repositoryId);
    if (count !== undefined)
      parts.announce(count === 1 ? "1 build is queued" : `${count} builds are queued`);
  }

  /** Branches of the build's repository that can be retried; undefined while nothing can be asked for. */
  #toRetry(build: Build | undefined): number | undefined {
    const { model } = this.#parts;
    if (build === undefined || !model.isLive) return undefined;
    return model.toRetry(build.repositoryId).length;
  }
}

/** The step whose log is shown, also where nobody chose it. */
function chosenStep(build: Build | undefined, route: BuildRoute): number | undefined {
  if (build === undefined || build.startedMs === null) return undefined;
  return placeOf(build, route).position ?? undefined;
}
