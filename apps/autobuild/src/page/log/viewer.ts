import type { ChannelState } from "windsock/client";
import type { LogEnd } from "../../log/step-log.ts";
import type { Group } from "../../terminal/groups.ts";
import { make, setText } from "../dom.ts";
import { remember, remembered } from "../memory.ts";
import { Folds } from "./folds.ts";
import { lineHash, type LineRange } from "./line-link.ts";
import { LogBar, stateText, type TimesShown } from "./log-bar.ts";
import { LogFeed, type Proof } from "./log-feed.ts";
import { elapsedText, LogTimes } from "./log-times.ts";
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

/** How often somebody who cannot see hears of new lines. */
const announceMs = 10_000;

/** One log: what is on the screen of it, and all that a reader can do. */
export class LogViewer {
  readonly #options: ViewerOptions;
  readonly #root = make("section", "log-viewer");
  readonly #feed: LogFeed;
  readonly #folds = new Folds();
  readonly #window: LogWindow;
  readonly #search: LogSearch;
  readonly #bar: LogBar;
  readonly #times: LogTimes;
  readonly #selection: LogSelection;
  readonly #pill = make("button", "log-pill");
  readonly #note = make("p", "log-note");
  readonly #announcer = make("p", "sr");
  readonly #over = new AbortController();
  readonly #views = new Map<number, RowView>();
  readonly #groupsByLine = new Map<number, Group>();
  readonly #choices = new Map<number, boolean>();
  #foldedGroups: readonly Group[] = [];
  #foldKey = "";
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
  #announcedLines = 0;
  #timer: number;
  #noteTimer: number | undefined;

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
      handleProblem: (message) => this.#say(message),
    });
    const { url } = this.#feed;
    this.#window = new LogWindow({
      count: () => this.#folds.count(this.#feed.document.lineCount),
      lineAt: (shown) => this.#folds.lineAt(shown),
      indexOf: (line) => this.#folds.indexOf(line),
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
    clearTimeout(this.#noteTimer);
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
    this.#announcer.setAttribute("role", "status");
    this.#note.setAttribute("role", "status");
    this.#note.hidden = true;
    this.#pill.type = "button";
    this.#pill.hidden = true;
    this.#root.append(this.#bar.element, scroller, this.#pill, this.#note, this.#announcer);
    container.replaceChildren(this.#root);
    this.#pill.addEventListener("click", () => {
      this.#window.follow();
      scroller.focus({ preventScroll: true });
    });
    this.#window.layer.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    scroller.addEventListener("keydown", (event) => this.#moved(event));
    document.addEventListener(
      "copy",
      (event) => this.#selection.copy(event, (text) => this.#say(text)),
      { signal },
    );
  }

  #changed(): void {
    this.#fold();
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
    this.#foldKey = "";
    this.#changed();
    this.#showBar();
  }

  /** Running and failed groups are open, ended ones are closed, and what a reader chose stays. */
  #fold(): void {
    const { groups } = this.#feed.document;
    const last = groups.at(-1);
    const key = `${groups.length} ${last?.end} ${this.#end === undefined} ${groups.filter(({ end }) => end === undefined).length}`;
    if (key === this.#foldKey) return;
    this.#foldKey = key;
    // Who reads further up is not moved: what ended meanwhile stays open.
    if (!this.#window.isFollowing) {
      const known = new Map(this.#foldedGroups.map((group) => [group.start, group]));
      for (const { start, end } of groups)
        if (end !== undefined && known.has(start) && known.get(start)?.end === undefined)
          this.#choices.set(start, false);
    }
    this.#foldedGroups = [...groups];
    this.#groupsByLine.clear();
    for (const group of groups) this.#groupsByLine.set(group.start, group);
    this.#folds.set(groups, (group) => this.#isClosed(group));
  }

  #isClosed(group: Group): boolean {
    const choice = this.#choices.get(group.start);
    if (choice !== undefined) return choice;
    if (group.end === undefined || group.wish === "open") return false;
    const { end } = group;
    const hasFailed =
      this.#end?.isFailure === true &&
      this.#feed.document.errors.some((line) => line > group.start && line < end);
    return !hasFailed;
  }

  #toggle(group: Group): void {
    this.#choices.set(group.start, !this.#isClosed(group));
    this.#folds.set(this.#foldedGroups, (one) => this.#isClosed(one));
    this.#window.unfollow();
    this.#window.draw();
  }

  /** Goes to a line, and opens the groups that it is in. */
  #reveal(line: number): void {
    for (const group of this.#foldedGroups)
      if (group.start < line && line < (group.end ?? Infinity))
        this.#choices.set(group.start, false);
    this.#folds.set(this.#foldedGroups, (one) => this.#isClosed(one));
    this.#window.show(line);
  }

  #nextError(): void {
    const { errors } = this.#feed.document;
    if (errors.length === 0) return;
    this.#errorAt = (this.#errorAt + 1) % errors.length;
    const line = errors[this.#errorAt] ?? 0;
    this.#hit = line;
    this.#reveal(line);
    this.#say(`Error ${this.#errorAt + 1} of ${errors.length}, line ${line + 1}`);
  }

  #element(line: number): HTMLElement {
    let view = this.#views.get(line);
    if (view === undefined) this.#views.set(line, (view = new RowView(line)));
    const { document } = this.#feed;
    const row = document.row(line);
    const group = this.#groupsByLine.get(line);
    const isClosed = group !== undefined && this.#isClosed(group);
    const number = line + 1;
    view.show({
      line,
      row,
      group,
      isClosed,
      time: row === undefined ? "" : this.#timeOf(row.offset),
      note: group === undefined ? "" : this.#noteOf(group),
      isMarked:
        this.#hit === line ||
        (this.#range !== undefined && number >= this.#range.from && number <= this.#range.to),
      isError: document.errors.includes(line),
      href: lineHash(this.#options.place, { from: number, to: number }),
    });
    return view.element;
  }

  #noteOf(group: Group): string {
    const index = this.#foldedGroups.indexOf(group);
    const [startMs, endMs] = this.#feed.groupTimes[index] ?? [];
    const lines = (group.end ?? this.#feed.document.lineCount) - group.start - 1;
    const time = startMs != null && endMs != null ? `, ${elapsedText(endMs - startMs)} s` : "";
    return group.end === undefined && this.#end === undefined
      ? "running"
      : `${lines.toLocaleString("en")} ${lines === 1 ? "line" : "lines"}${time}`;
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
    this.#bar.show(text, kind, lineCount, errors.length);
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
    const { lineCount } = this.#feed.document;
    if (lineCount === this.#announcedLines || !this.#window.isFollowing) return;
    if (performance.now() % announceMs > 1000) return;
    const before = this.#announcedLines;
    this.#announcedLines = lineCount;
    if (before > 0)
      setText(
        this.#announcer,
        `${lineCount - before} new lines. ${this.#feed.document.row(lineCount - 1)?.text.slice(0, 200) ?? ""}`,
      );
  }

  #say(text: string): void {
    setText(this.#note, text);
    this.#note.hidden = false;
    clearTimeout(this.#noteTimer);
    this.#noteTimer = window.setTimeout(() => (this.#note.hidden = true), 4000);
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
    const group = this.#groupsByLine.get(line);
    if (group !== undefined && event.target.closest("a") === null && isNothingSelected())
      this.#toggle(group);
  }

  /** Keys of the page, while it has this log. */
  #pressed(event: KeyboardEvent): void {
    if (!this.#root.isConnected || this.#root.offsetParent === null) return;
    const isFind = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f";
    // Once more is the browser's own.
    if (isFind && !this.#search.hasFocus) {
      event.preventDefault();
      this.#search.focus();
      return;
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) return;
    if (event.key === "/" && remembered("shortcuts") !== "no") {
      event.preventDefault();
      this.#search.focus();
      return;
    }
    // Elsewhere these keys are the page's.
    if (!(event.target instanceof Node) || !this.#root.contains(event.target)) return;
    switch (event.key) {
      case "n":
        this.#search.go(1);
        break;
      case "N":
        this.#search.go(-1);
        break;
      case "e":
        this.#nextError();
        break;
      case "w":
        this.#bar.toggleWrap();
        break;
      case "t":
        this.#bar.nextTimes();
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  /** Keys of the rows. */
  #moved(event: KeyboardEvent): void {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") {
      event.preventDefault();
      this.#selection.selectAll();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    switch (event.key) {
      case "Home":
        this.#window.show(0, "top");
        break;
      case "End":
        this.#window.follow();
        break;
      case "ArrowUp":
      case "k":
        this.#window.move(-1);
        break;
      case "ArrowDown":
      case "j":
        this.#window.move(1);
        break;
      case "PageUp":
        this.#window.move(-this.#window.pageRows);
        break;
      case "PageDown":
      case " ":
        this.#window.move(event.shiftKey ? -this.#window.pageRows : this.#window.pageRows);
        break;
      default:
        return;
    }
    event.preventDefault();
  }
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

function isNothingSelected(): boolean {
  return getSelection()?.isCollapsed !== false;
}
