import type { ChannelState } from "windsock/client";
import { make, setText } from "../dom.ts";

export type TimesShown = "none" | "elapsed" | "clock";

export interface BarActions {
  handleError(): void;
  handleWrap(isOn: boolean): void;
  handleTimes(shown: TimesShown): void;
}

/** What stands above a log: how it stands, and what can be done with it. */
export class LogBar {
  readonly element: HTMLElement = make("div", "log-bar");
  readonly #state = make("span", "log-state");
  readonly #lines = make("span", "log-lines");
  readonly #error = make("button", "", "First error");
  readonly #wrap = make("button", "", "Wrap");
  readonly #times = make("button", "", "Times");
  readonly #actions: BarActions;
  #timesShown: TimesShown = "none";

  constructor(search: HTMLElement, rawUrl: string, actions: BarActions) {
    this.#actions = actions;
    this.element.setAttribute("role", "toolbar");
    this.element.setAttribute("aria-label", "Log");
    for (const button of [this.#error, this.#wrap, this.#times]) button.type = "button";
    this.#error.hidden = true;
    this.#error.setAttribute("aria-keyshortcuts", "E");
    this.#error.title = "Go to the first line that looks like an error, then to the next (E)";
    this.#wrap.setAttribute("aria-keyshortcuts", "W");
    this.#wrap.title = "Wrap long lines (W)";
    this.#times.setAttribute("aria-keyshortcuts", "T");
    this.#times.title =
      "Show when lines were printed: since the start, by the clock, not at all (T)";
    const raw = make("a", "button", "Raw");
    raw.href = rawUrl;
    raw.title = "All bytes as they were printed";
    const status = make("p", "log-status");
    status.append(this.#state, this.#lines);
    const buttons = make("div", "log-buttons");
    buttons.append(this.#error, this.#wrap, this.#times, raw);
    this.element.append(status, search, buttons);
    this.#error.addEventListener("click", () => actions.handleError());
    this.#wrap.addEventListener("click", () => this.toggleWrap());
    this.#times.addEventListener("click", () => this.nextTimes());
    this.setTimes("none");
  }

  setWrap(isOn: boolean): void {
    this.#wrap.setAttribute("aria-pressed", String(isOn));
  }

  toggleWrap(): void {
    const isOn = this.#wrap.getAttribute("aria-pressed") !== "true";
    this.setWrap(isOn);
    this.#actions.handleWrap(isOn);
  }

  setTimes(shown: TimesShown): void {
    this.#timesShown = shown;
    this.#times.setAttribute("aria-pressed", String(shown !== "none"));
    setText(this.#times, shown === "none" ? "Times" : shown === "elapsed" ? "Elapsed" : "Clock");
  }

  nextTimes(): void {
    const next = { none: "elapsed", elapsed: "clock", clock: "none" } as const;
    this.setTimes(next[this.#timesShown]);
    this.#actions.handleTimes(this.#timesShown);
  }

  show(state: string, kind: string, lines: number, errors: number): void {
    setText(this.#state, state);
    this.#state.dataset["state"] = kind;
    setText(this.#lines, `${lines.toLocaleString("en")} ${lines === 1 ? "line" : "lines"}`);
    this.#error.hidden = errors === 0;
  }
}

/** What a connection's state means to a reader. */
export function stateText(state: ChannelState | undefined): readonly [string, string] {
  switch (state?.type) {
    case undefined:
    case "connecting":
      return ["connecting", "waiting"];
    case "open":
    case "draining":
      return ["live", "live"];
    case "resuming":
      return ["connection lost, coming back", "waiting"];
    case "suspended":
      return ["offline: there may be more", "offline"];
    case "closed":
      return [state.error?.message ?? "closed", "offline"];
  }
}
