import type { ChannelState } from "windsock/client";
import type { LogEnd } from "../../log/step-log-reader.ts";
import { make, setText } from "../dom.ts";
import { bytesText } from "../format.ts";
import { remember, remembered } from "../memory.ts";
import { lineHash, type LineRange } from "./line-link.ts";
import { LogBar, stateText, type TimesShown } from "./log-bar.ts";
import { LogFeed, type Proof } from "./log-feed.ts";
import { LogGroups } from "./log-groups.ts";
import { moveByKey, pressKey, type KeyActions } from "./log-keys.ts";
import { elapsedText, LogTimes } from "./log-times.ts";
import { LogVoice } from "./log-voice.ts";
import { LogWindow } from "./log-window.ts";
import { RowView } from "./row-view.ts";
import { highlight, LogSearch } from "./search.ts";
import { LogSelection } from "./selection.ts";

export interface ViewerOptions {
  readonly buildId: number;
  /** `setup`, `0.1`: as the server calls it. */
  readonly name: string;
  /** As addresses call it: `2`, `2.1`, `setup`. */
  readonly place: string;
  readonly range?: LineRange | undefined;
}

/** One log: what is on the screen of it, and all that a reader can do. */
export class LogViewer {
  readonly #options: ViewerOptions;
  readonly #root = make("section", "log-viewer");
  readonly #feed: LogFeed;
  readonly #groups = new LogGroups();
  readonly #window: LogWindow;
  readonly #search: LogSearch;
  readonly #bar: LogBar;
  readonly #times: LogTimes;
  readonly #selection: LogSelection;
  readonly #pill = make("button", "log-pill");
  readonly #voice = new LogVoice();
  readonly #over = new AbortController();
  readonly #views = new Map<number, RowView>();
  #state: ChannelState | undefined;
  #end: LogEnd | undefined;
  #proof: Proof = "unknown";
  #range: LineRange | undefined;
  #isRangeShown = false;
  #seenLines = 0;
  #errorAt = -1;
  #hit = -1;
  #searched = "";
  #timesShown: TimesShown = "none";
  #timer: number;

  constructor(container: HTMLElement, options: ViewerOptions) {
    this.#options = options;
    this.#range = options.range;
    this.#feed = new LogFeed(options.buildId, options.name, {
      handleChange: () => this.#changed(),
      handleState: (state) => {
        this.#state = state;
        this.#showBar();
      },
      handleEnd: (end, proof) => this.#ended(end, proof),
      handleIndex: ({ groupTimes, nowMs }) => this.#groups.times.adopt(groupTimes, nowMs),
      handleSkip: () =>
        this.#voice.say(
          "More is printed than this page can read: it went on at the end. What lies before comes when you scroll there.",
        ),
      handleProblem: (message) => this.#voice.say(message),
    });
    const { url } = this.#feed;
    const { folds } = this.#groups;
    this.#window = new LogWindow({
      count: () => folds.count(this.#feed.document.lineCount),
      lineAt: (shown) => folds.lineAt(shown),
      indexOf: (line) => folds.indexOf(line),
      element: (line) => this.#element(line),
      drop: (line) => void this.#views.delete(line),
      handleDraw: () => this.#drawn(),
      handleFollow: () => {
        this.#seenLines = this.#feed.document.lineCount;
        this.#showPill();
      },
    });
    this.#search = new LogSearch(url, () => this.#window.topLine, {
      handleHit: (line) => {
        this.#hit = line;
        this.#reveal(line);
      },
      handleText: (text) => {
        this.#searched = text;
        if (text === "") this.#hit = -1;
        this.#window.draw();
      },
      handleClose: () => this.#window.scroller.focus({ preventScroll: true }),
    });
    this.#bar = new LogBar(this.#search.element, url, {
      handleError: () => this.#nextError(),
      handleWrap: (isOn) => this.#wrap(isOn),
      handleTimes: (shown) => this.#showTimes(shown),
    });
    this.#times = new LogTimes(url, () => this.#window.draw());
    this.#selection = new LogSelection(
      this.#window.layer,
      (line) => this.#feed.document.row(line),
      () => this.#feed.document.lineCount,
      (from, until) => this.#feed.bring(from, until),
    );
    this.#build(container);
    const isWrapped = remembered("log-wrap") === "yes";
    this.#bar.setWrap(isWrapped);
    this.#root.classList.toggle("wrapped", isWrapped);
    this.#timer = window.setInterval(() => this.#tick(), 1000);
    this.#showBar();
  }

  /** Goes to lines, from 1. */
  show(range: LineRange): void {
    this.#range = range;
    this.#isRangeShown = true;
    this.#reveal(range.from - 1);
  }

  destroy(): void {
    this.#over.abort();
    clearInterval(this.#timer);
    this.#voice.close();
    this.#search.close();
    this.#feed.close();
    this.#window.close();
    highlight([], "");
    this.#root.remove();
  }

  #build(container: HTMLElement): void {
    const { signal } = this.#over;
    const { scroller } = this.#window;
    // New lines come faster than they can be read out: what is said is said by the announcer.
    scroller.setAttribute("role", "log");
    scroller.setAttribute("aria-live", "off");
    scroller.setAttribute("aria-label", "Output");
    this.#pill.type = "button";
    this.#pill.hidden = true;
    const { note, announcer } = this.#voice;
    this.#root.append(this.#bar.element, scroller, this.#pill, note, announcer);
    container.replaceChildren(this.#root);
    this.#pill.addEventListener("click", () => {
      this.#window.follow();
      scroller.focus({ preventScroll: true });
    });
    this.#window.layer.addEventListener("click", (event) => this.#clicked(event));
    const actions = this.#keyActions();
    document.addEventListener("keydown", (event) => pressKey(event, this.#root, actions), {
      signal,
    });
    scroller.addEventListener("keydown", (event) => moveByKey(event, actions));
    document.addEventListener(
      "copy",
      (event) => this.#selection.copy(event, (text) => this.#voice.say(text)),
      { signal },
    );
  }

  #changed(): void {
    this.#groups.update(this.#feed.document, this.#end, this.#window.isFollowing);
    const { lineCount } = this.#feed.document;
    if (!this.#isRangeShown && this.#range !== undefined && lineCount >= this.#range.from) {
      this.#isRangeShown = true;
      this.#reveal(this.#range.from - 1);
    }
    this.#window.draw();
  }

  #ended(end: LogEnd, proof: Proof): void {
    this.#end = end;
    this.#proof = proof;
    this.#changed();
    this.#showBar();
  }

  /** Goes to a line, and opens the groups that it is in. */
  #reveal(line: number): void {
    this.#groups.open(line);
    this.#window.show(line);
  }

  #nextError(): void {
    const { errors } = this.#feed.document;
    if (errors.length === 0) return;
    this.#errorAt = (this.#errorAt + 1) % errors.length;
    const line = errors[this.#errorAt] ?? 0;
    this.#hit = line;
    this.#reveal(line);
    this.#voice.say(`Error ${this.#errorAt + 1} of ${errors.length}, line ${line + 1}`);
  }

  #element(line: number): HTMLElement {
    let view = this.#views.get(line);
    if (view === undefined) this.#views.set(line, (view = new RowView(line)));
    const { document } = this.#feed;
    const row = document.row(line);
    const group = this.#groups.at(line);
    const isClosed = group !== undefined && this.#groups.isClosed(group);
    const number = line + 1;
    view.show({
      line,
      row,
      group,
      isClosed,
      time: row === undefined ? "" : this.#timeOf(row.offset),
      note: group === undefined ? "" : this.#groups.noteOf(group, document.lineCount),
      isMarked:
        this.#hit === line ||
        (this.#range !== undefined && number >= this.#range.from && number <= this.#range.to),
      isError: document.errors.includes(line),
      href: lineHash(this.#options.place, { from: number, to: number }),
    });
    return view.element;
  }

  #timeOf(byte: number): string {
    if (this.#timesShown === "none") return "";
    const ms = this.#times.at(byte);
    if (ms === undefined) return "";
    return this.#timesShown === "clock"
      ? new Date(ms).toLocaleTimeString("en-GB")
      : elapsedText(ms - (this.#times.startMs ?? ms));
  }

  #drawn(): void {
    const { lineCount } = this.#feed.document;
    if (this.#window.isFollowing) this.#seenLines = lineCount;
    this.#showPill();
    this.#showBar();
    if (this.#searched !== "" || this.#root.classList.contains("searched")) {
      this.#root.classList.toggle("searched", this.#searched !== "");
      highlight(
        [...this.#views.values()].map(({ text }) => text),
        this.#searched,
      );
    }
  }

  #showPill(): void {
    this.#pill.hidden = this.#window.isFollowing;
    const unseen = this.#feed.document.lineCount - this.#seenLines;
    setText(
      this.#pill,
      unseen > 0
        ? `↓ ${unseen.toLocaleString("en")} new ${unseen === 1 ? "line" : "lines"}`
        : "↓ Go to the end",
    );
  }

  #showBar(): void {
    const { lineCount, errors, byte } = this.#feed.document;
    const isThere = this.#end !== undefined && byte >= this.#end.length;
    const [text, kind] = isThere
      ? [
          this.#proof === "different"
            ? "not what was written: load the page anew"
            : this.#proof === "same"
              ? "complete, checked"
              : "complete",
          this.#proof === "different" ? "offline" : "ended",
        ]
      : stateText(this.#state);
    const { skippedBytes } = this.#feed;
    const skipped = skippedBytes === 0 ? "" : `, ${bytesText(skippedBytes)} passed over`;
    this.#bar.show(text + skipped, kind, lineCount, errors.length);
  }

  #wrap(isOn: boolean): void {
    const line = this.#window.topLine;
    this.#root.classList.toggle("wrapped", isOn);
    remember("log-wrap", isOn ? "yes" : "no");
    if (this.#window.isFollowing) this.#window.draw();
    else this.#window.show(line, "top");
  }

  #showTimes(shown: TimesShown): void {
    this.#timesShown = shown;
    this.#root.classList.toggle("timed", shown !== "none");
    if (shown !== "none") void this.#times.refresh(this.#feed.document.byte);
    this.#window.draw();
  }

  #tick(): void {
    if (this.#timesShown !== "none") void this.#times.refresh(this.#feed.document.byte);
    if (this.#groups.isRunning) this.#window.draw();
    if (!this.#window.isFollowing) return;
    const { document } = this.#feed;
    const { lineCount } = document;
    this.#voice.announce(lineCount, () => document.row(lineCount - 1)?.text ?? "");
  }

  #clicked(event: MouseEvent): void {
    if (!(event.target instanceof Element)) return;
    const row = event.target.closest<HTMLElement>(".log-row");
    if (row === null) return;
    const line = Number(row.dataset["line"]);
    if (event.target.closest(".log-number") !== null) {
      event.preventDefault();
      const number = line + 1;
      const first = event.shiftKey ? (this.#range?.from ?? number) : number;
      this.#range = { from: Math.min(first, number), to: Math.max(first, number) };
      history.replaceState(null, "", lineHash(this.#options.place, this.#range));
      this.#isRangeShown = true;
      this.#window.unfollow();
      this.#window.draw();
      return;
    }
    const group = this.#groups.at(line);
    if (group === undefined || event.target.closest("a") !== null || !isNothingSelected()) return;
    this.#groups.toggle(group);
    this.#window.unfollow();
    this.#window.draw();
  }

  #keyActions(): KeyActions {
    const window = this.#window;
    return {
      find: () => this.#search.focus(),
      isFinding: () => this.#search.hasFocus,
      hit: (direction) => this.#search.go(direction),
      nextError: () => this.#nextError(),
      toggleWrap: () => this.#bar.toggleWrap(),
      nextTimes: () => this.#bar.nextTimes(),
      selectAll: () => this.#selection.selectAll(),
      toStart: () => window.show(0, "top"),
      toEnd: () => window.follow(),
      move: (rows) => window.move(rows),
      movePages: (pages) => window.move(pages * window.pageRows),
    };
  }
}

function isNothingSelected(): boolean {
  return getSelection()?.isCollapsed !== false;
}
