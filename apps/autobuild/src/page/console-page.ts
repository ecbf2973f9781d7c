import type { Build } from "../build/build.ts";
import { progressOf } from "../build/forecast.ts";
import type { BranchRow } from "../build/overview.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { ConsoleView } from "./console-view.ts";
import { make, part, setText } from "./dom.ts";
import { duration, elapsedMs, leftText, marks, stateOf } from "./format.ts";
import { remember, remembered } from "./memory.ts";

/** The black page with the green log of whatever is built, fed by `/websocket/status`. */
export class ConsolePage {
  readonly #section = part("log");
  readonly #mark = part("log-mark");
  readonly #title = part("log-title");
  readonly #state = part("log-state");
  readonly #bar = part("log-progress");
  readonly #raw = part<HTMLAnchorElement>("raw-link");
  readonly #cutLink = part<HTMLAnchorElement>("cut-link");
  readonly #note = part("log-note");
  readonly #pre = part("status");
  readonly #wrap = part<HTMLButtonElement>("wrap");
  readonly #scroller = part("scroller");
  readonly #link = make("a");
  readonly #view: ConsoleView;
  readonly #handleState: (state: ConnectionState) => void;
  #connection: Connection | undefined;

  constructor(handleState: (state: ConnectionState) => void) {
    this.#handleState = handleState;
    this.#view = new ConsoleView({
      scroller: this.#scroller,
      pre: this.#pre,
      toEnd: part<HTMLButtonElement>("to-end"),
      cut: part("cut"),
    });
    this.#wrap.addEventListener("click", () =>
      this.#setWrap(this.#wrap.getAttribute("aria-pressed") !== "true"),
    );
    this.#setWrap(remembered("wrap") !== "no");
  }

  open(): void {
    this.#section.hidden = false;
    this.#connection ??= new Connection({
      path: () => "/websocket/status",
      // It begins anew with the running build's first line.
      handleOpen: () => this.#view.clear(),
      handleMessage: (text) => this.#view.append(text),
      handleState: this.#handleState,
    });
  }

  /** Nobody looks: nothing is sent. */
  close(): void {
    this.#section.hidden = true;
    this.#connection?.close();
    this.#connection = undefined;
    this.#view.clear();
  }

  /** Gives up a socket that may be as dead as the other one, which was found to be so. */
  drop(): void {
    this.#connection?.drop();
  }

  focus(): void {
    this.#scroller.focus();
  }

  /** `build`: what runs, else what ran last. */
  show(
    build: Build | undefined,
    row: BranchRow | undefined,
    hasSnapshot: boolean,
    nowMs: number,
  ): void {
    this.#mark.hidden = this.#raw.hidden = build === undefined;
    setText(
      this.#note,
      hasSnapshot ? "What is built appears here, line by line, while it is built." : "",
    );
    this.#note.hidden = build !== undefined || !hasSnapshot;
    if (build === undefined) {
      setText(this.#title, hasSnapshot ? "Nothing was built yet" : "");
      setText(this.#state, "");
      this.#bar.hidden = true;
      return;
    }
    this.#mark.dataset["state"] = build.state;
    setText(this.#mark, marks[build.state].sign);
    if (this.#link.parentElement !== this.#title) this.#title.replaceChildren(this.#link);
    this.#link.href = `/builds/${build.id}`;
    setText(this.#link, `#${build.id} ${build.subject}`);
    this.#link.title = build.subject;
    this.#raw.href = this.#cutLink.href = `/builds/${build.id}/log`;
    const timeMs = elapsedMs(build, nowMs);
    const forecast = row?.build.id === build.id ? row.forecast : null;
    const progress = forecast === null ? undefined : progressOf(build, forecast, nowMs);
    this.#state.dataset["state"] = build.state;
    setText(
      this.#state,
      [
        stateOf(build),
        `${build.repository} ${build.branch}`,
        ...(timeMs === undefined ? [] : [duration(timeMs)]),
        ...(progress === undefined ? [] : [leftText(progress)]),
      ].join(" · "),
    );
    this.#bar.hidden = build.state !== "running";
    this.#bar.dataset["known"] = String(progress !== undefined);
    (this.#bar.firstElementChild as HTMLElement).style.width =
      progress === undefined ? "" : `${(100 * progress.fraction).toFixed(1)}%`;
  }

  #setWrap(isOn: boolean): void {
    this.#wrap.setAttribute("aria-pressed", String(isOn));
    this.#pre.classList.toggle("unwrapped", !isOn);
    remember("wrap", isOn ? "yes" : "no");
  }
}
