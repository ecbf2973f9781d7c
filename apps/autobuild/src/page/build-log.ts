import type { Build, Step } from "../build/build.ts";
import type { MountedLog, MountOptions } from "./log/mount.ts";
import type { Route } from "./router.ts";

/** A log of a build: of an attempt of a step, or with null what came before the first step. */
interface LogPlace {
  readonly position: number | null;
  /** Undefined: the last, whichever that is. */
  readonly attempt: number | undefined;
}

/** The log on the page of a build: the one that the address names, else the one that matters most. */
export class BuildLog {
  readonly #container: HTMLElement;
  #key = "";
  #range = "";
  #log: MountedLog | undefined;

  constructor(container: HTMLElement) {
    this.#container = container;
  }

  show(build: Build, route: Extract<Route, { type: "build" }>): void {
    const { position, attempt } = placeOf(build, route);
    const last = position === null ? 1 : (build.steps[position]?.attempts.length ?? 1);
    const key = `${build.id} ${position} ${attempt ?? last}`;
    const range = route.range === undefined ? "" : `${route.range.from} ${route.range.to}`;
    if (key !== this.#key) {
      this.hide();
      this.#key = key;
      void this.#mount(key, {
        buildId: build.id,
        position,
        attempt: attempt ?? Math.max(1, last),
        ...(route.range !== undefined && { range: route.range }),
      });
    } else if (range !== this.#range && route.range !== undefined) this.#log?.show(route.range);
    this.#range = range;
  }

  /** The viewer is fetched when somebody looks at a log: the overview does without. */
  async #mount(key: string, options: MountOptions): Promise<void> {
    const { mountLog } = await import("./log/mount.ts");
    if (key === this.#key) this.#log = mountLog(this.#container, options);
  }

  hide(): void {
    this.#log?.destroy();
    this.#log = undefined;
    this.#key = this.#range = "";
  }
}

/** The log that is shown of a build: the one that the address names, else the one that matters most. */
export function placeOf(
  build: Build,
  { step, attempt }: Extract<Route, { type: "build" }>,
): LogPlace {
  if (step === null) return { position: null, attempt: undefined };
  const named = step === undefined ? undefined : build.steps[step];
  const shown = named ?? chosen(build.steps);
  // Steps from before attempts were kept have no log of their own: their build has one.
  if (shown === undefined || (shown.attempts.length === 0 && shown.state !== "waiting"))
    return { position: null, attempt: undefined };
  return { position: shown.position, attempt: named === undefined ? undefined : attempt };
}

/** What failed, else what runs, else what ran last. */
function chosen(steps: readonly Step[]): Step | undefined {
  const ran = steps.filter(({ attempts }) => attempts.length > 0);
  return (
    ran.find(({ state }) => state === "failed") ??
    ran.find(({ state }) => state === "running") ??
    ran.at(-1)
  );
}
