import type { SearchResult } from "../../log/indexed-log.ts";
import { make, setText } from "../dom.ts";

export interface SearchListener {
  /** Goes to a row. */
  handleHit(line: number): void;
  /** There is another text to look for; "" for none. */
  handleText(text: string): void;
  /** The reader has had enough. */
  handleClose(): void;
}

const waitMs = 150;

/** Finds in the whole log, at the server: what is not on the screen is not in the page. */
export class LogSearch {
  readonly element: HTMLElement = make("form", "log-search");
  readonly #url: string;
  readonly #listener: SearchListener;
  readonly #input = make("input");
  readonly #count = make("output", "log-count");
  readonly #previous = make("button", "", "↑");
  readonly #next = make("button", "", "↓");
  #result: SearchResult = { rows: [], isCut: false, lines: 0 };
  #at = -1;
  #asked: AbortController | undefined;
  #timer: number | undefined;
  #text = "";
  #topLine: () => number;

  constructor(url: string, topLine: () => number, listener: SearchListener) {
    this.#url = url;
    this.#topLine = topLine;
    this.#listener = listener;
    this.element.setAttribute("role", "search");
    this.#input.type = "search";
    this.#input.placeholder = "Find in the log";
    this.#input.maxLength = 200;
    this.#input.autocomplete = "off";
    this.#input.spellcheck = false;
    this.#input.setAttribute("aria-label", "Find in the log");
    this.#input.setAttribute("aria-keyshortcuts", "/ Control+F");
    this.#previous.type = this.#next.type = "button";
    this.#previous.setAttribute("aria-label", "Previous hit");
    this.#next.setAttribute("aria-label", "Next hit");
    this.#previous.disabled = this.#next.disabled = true;
    this.element.append(this.#input, this.#count, this.#previous, this.#next);
    this.#input.addEventListener("input", () => this.#ask());
    this.#previous.addEventListener("click", () => this.go(-1));
    this.#next.addEventListener("click", () => this.go(1));
    this.element.addEventListener("submit", (event) => event.preventDefault());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.go(event.shiftKey ? -1 : 1);
      } else if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        this.#input.value = "";
        this.#ask();
        this.#listener.handleClose();
      }
    });
  }

  get hasFocus(): boolean {
    return document.activeElement === this.#input;
  }

  focus(): void {
    this.#input.focus();
    this.#input.select();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#asked?.abort();
  }

  /** Goes to the next hit, or with -1 to the one before. After the last comes the first. */
  go(by: 1 | -1): void {
    const { rows } = this.#result;
    if (rows.length === 0) return;
    this.#at = (this.#at + by + rows.length) % rows.length;
    this.#showCount();
    this.#listener.handleHit(rows[this.#at] ?? 0);
  }

  #ask(): void {
    const text = this.#input.value;
    this.#asked?.abort();
    clearTimeout(this.#timer);
    this.#listener.handleText(text);
    this.#text = text;
    if (text === "") {
      this.#found({ rows: [], isCut: false, lines: 0 });
      return;
    }
    setText(this.#count, "…");
    this.#timer = window.setTimeout(() => void this.#fetch(text), waitMs);
  }

  async #fetch(text: string): Promise<void> {
    const asked = (this.#asked = new AbortController());
    try {
      const answer = await fetch(`${this.#url}/search?q=${encodeURIComponent(text)}`, {
        signal: asked.signal,
      });
      if (!answer.ok) throw new Error(await answer.text());
      this.#found((await answer.json()) as SearchResult);
      this.go(1);
    } catch {
      if (!asked.signal.aborted) setText(this.#count, "no answer");
    }
  }

  #found(result: SearchResult): void {
    this.#result = result;
    // The first hit is the next one from where the reader is.
    const top = this.#topLine();
    const next = result.rows.findIndex((line) => line >= top);
    this.#at = (next === -1 ? 0 : next) - 1;
    this.#previous.disabled = this.#next.disabled = result.rows.length === 0;
    this.#showCount();
  }

  #showCount(): void {
    const { rows, isCut } = this.#result;
    const of = `${rows.length.toLocaleString("en")}${isCut ? "+" : ""}`;
    setText(
      this.#count,
      this.#text === ""
        ? ""
        : rows.length === 0
          ? "no hits"
          : `${(Math.max(0, this.#at) + 1).toLocaleString("en")} of ${of}`,
    );
  }
}

/** Marks a text in rows, without touching them. Browsers that cannot, show the row alone. */
export function highlight(elements: Iterable<HTMLElement>, text: string): void {
  if (typeof Highlight === "undefined") return;
  CSS.highlights.delete("log-hit");
  if (text === "") return;
  const isExact = text !== text.toLowerCase();
  const ranges: Range[] = [];
  for (const element of elements) {
    const whole = element.textContent;
    const searched = isExact ? whole : whole.toLowerCase();
    // Lower case may be longer than what it was made of: then places are not places in the text.
    if (searched.length !== whole.length) continue;
    for (let at = searched.indexOf(text); at !== -1 && ranges.length < 2000;) {
      const range = rangeOf(element, at, at + text.length);
      if (range !== undefined) ranges.push(range);
      at = searched.indexOf(text, at + text.length);
    }
  }
  CSS.highlights.set("log-hit", new Highlight(...ranges));
}

function rangeOf(element: HTMLElement, from: number, to: number): Range | undefined {
  const range = document.createRange();
  const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let before = 0;
  let hasStart = false;
  for (let node = nodes.nextNode(); node !== null; node = nodes.nextNode()) {
    const length = node.nodeValue?.length ?? 0;
    if (!hasStart && from < before + length) {
      range.setStart(node, from - before);
      hasStart = true;
    }
    if (hasStart && to <= before + length) {
      range.setEnd(node, to - before);
      return range;
    }
    before += length;
  }
  return undefined;
}
