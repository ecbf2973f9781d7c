import { isFlaky, type Build, type Step } from "../build/build.ts";
import { criticalPath, neededBy, spansOf, type Forecast } from "../build/forecast.ts";
import { make, makeName, setAttribute, setChildren, setText } from "./dom.ts";
import { duration, stepMs, stepSigns, ticks } from "./format.ts";

/** The part of an axis behind which the words of a mark may not fit. */
const lateTick = 0.8;

interface StepRow {
  readonly item: HTMLLIElement;
  readonly button: HTMLButtonElement;
  readonly sign: HTMLElement;
  readonly name: HTMLElement;
  readonly tries: HTMLElement;
  readonly track: HTMLElement;
  readonly ahead: HTMLElement;
  readonly time: HTMLElement;
  readonly words: HTMLElement;
}

/**
 * The steps of a build as bars against time: what ran beside what, what is to come (as usual), and the chain
 * that decides how long it takes. Each is a button that shows its log.
 */
export class Timeline {
  readonly element: HTMLElement = make("div", "timeline");
  readonly #list = make("ol");
  readonly #axis = make("div", "axis");
  readonly #rows: StepRow[] = [];
  readonly #handleStep: (position: number) => void;

  constructor(handleStep: (position: number) => void) {
    this.#handleStep = handleStep;
    this.#list.setAttribute("aria-label", "Steps");
    this.#axis.setAttribute("aria-hidden", "true");
    this.element.append(this.#list, this.#axis);
  }

  show(build: Build, forecast: Forecast, selected: number | undefined, nowMs: number): void {
    const { steps } = build;
    while (this.#rows.length < steps.length) this.#rows.push(this.#add(this.#rows.length));
    this.#rows.length = steps.length;
    setChildren(
      this.#list,
      this.#rows.map(({ item }) => item),
    );
    this.element.hidden = steps.length === 0;
    if (steps.length === 0) return;

    const spans = spansOf(build, forecast, nowMs);
    const startMs = build.startedMs ?? Math.min(...spans.map((span) => span?.startMs ?? nowMs));
    const ends = spans.map((span) => span?.endMs ?? startMs);
    const wholeMs = Math.max(1, Math.max(...ends) - startMs);
    const path = criticalPath(steps, nowMs);
    const isBranched = steps.some(
      ({ position, startedMs }) => startedMs !== null && !path.has(position),
    );
    for (const [position, step] of steps.entries()) {
      const row = this.#rows[position];
      if (row === undefined) continue;
      row.button.dataset["state"] = step.state;
      row.button.disabled = step.startedMs === null;
      row.button.title = step.command;
      row.item.dataset["critical"] = String(isBranched && path.has(position));
      setAttribute(row.button, "aria-pressed", String(position === selected));
      setText(row.sign, stepSigns[step.state]);
      setText(row.name, step.name);
      const ms = step.startedMs === null ? undefined : stepMs(step, nowMs);
      setText(row.time, ms === undefined ? step.state : duration(ms));
      setText(row.words, `, ${wordsOf(step, steps, isBranched && path.has(position))}`);
      const span = spans[position];
      const percent = (ms: number): number => (100 * (ms - startMs)) / wholeMs;
      if (span !== undefined) place(row.ahead, percent(span.knownMs), percent(span.endMs));
      row.ahead.hidden = span === undefined || span.endMs <= span.knownMs;
      showTries(row.track, step, nowMs, percent);
      setText(row.tries, step.attempts.length > 1 ? `${step.attempts.length} attempts` : "");
    }
    this.#showAxis(wholeMs);
  }

  #showAxis(wholeMs: number): void {
    const marks = ticks(wholeMs);
    while (this.#axis.childElementCount < marks.length) this.#axis.append(make("span"));
    while (this.#axis.childElementCount > marks.length) this.#axis.lastElementChild?.remove();
    for (const [index, ms] of marks.entries()) {
      const tick = this.#axis.children[index] as HTMLElement;
      tick.style.left = `${(100 * ms) / wholeMs}%`;
      tick.dataset["isLate"] = String(ms > lateTick * wholeMs);
      setText(tick, ms === 0 ? "0" : duration(ms));
    }
  }

  #add(position: number): StepRow {
    const row: StepRow = {
      item: make("li"),
      button: make("button"),
      sign: make("span", "sign"),
      name: makeName("name"),
      tries: make("span", "tries"),
      track: make("span", "track"),
      ahead: make("span", "ahead"),
      time: make("span", "time"),
      words: make("span", "sr"),
    };
    row.button.type = "button";
    row.sign.setAttribute("aria-hidden", "true");
    row.track.append(row.ahead);
    const name = make("span", "step-name");
    name.append(row.name, row.tries);
    row.button.append(row.sign, name, row.track, row.time, row.words);
    row.button.addEventListener("click", () => this.#handleStep(position));
    row.item.append(row.button);
    return row;
  }
}

/** A bar for each attempt, and one for a step of which none were kept. */
function showTries(
  track: HTMLElement,
  step: Step,
  nowMs: number,
  percent: (ms: number) => number,
): void {
  const tries = step.attempts.length > 0 ? step.attempts : step.startedMs === null ? [] : [step];
  const bars = [...track.querySelectorAll<HTMLElement>(".past")];
  for (const bar of bars.splice(tries.length)) bar.remove();
  for (const [index, { state, startedMs, durationMs }] of tries.entries()) {
    const bar = bars[index] ?? make("span", "past");
    if (bar.parentElement === null) track.append(bar);
    bar.dataset["state"] = state;
    const startMs = startedMs ?? 0;
    const endMs = startMs + (durationMs ?? (state === "running" ? nowMs - startMs : 0));
    place(bar, percent(startMs), percent(endMs));
  }
}

function place(bar: HTMLElement, from: number, to: number): void {
  bar.style.left = `${Math.max(0, from).toFixed(2)}%`;
  bar.style.width = `${Math.max(0, to - from).toFixed(2)}%`;
}

function wordsOf(step: Step, steps: readonly Step[], isCritical: boolean): string {
  const needs = neededBy(steps, step.position).map((needed) => steps[needed]?.name ?? "");
  const waits = step.state === "waiting" && needs.length > 0 ? ` for ${needs.join(", ")}` : "";
  const critical = isCritical ? ", on the chain that decides how long it takes" : "";
  const flaky = isFlaky(step) ? ", flaky" : "";
  return `${step.reason ?? step.state}${flaky}${waits}${critical}`;
}
