import type { Group } from "../../terminal/groups.ts";
import type { Row } from "../../terminal/row.ts";
import { make, setAttribute } from "../dom.ts";
import { paint } from "./colours.ts";

/** A row with more pieces shows the rest in one style: a row must not cost more than a row. */
const maxPieces = 200;

/** What is shown beside the text of a row. */
export interface RowFacts {
  readonly line: number;
  readonly row: Row | undefined;
  readonly group: Group | undefined;
  readonly isClosed: boolean;
  /** "12.3 s", "14:03:07", or nothing. */
  readonly time: string;
  /** Behind a group's title: how many lines, how long. */
  readonly note: string;
  readonly isMarked: boolean;
  readonly isError: boolean;
  /** The address of the line, for its number. */
  readonly href: string;
}

/** One row on the screen. What a build printed gets in as text and as nothing else. */
export class RowView {
  readonly element: HTMLElement = make("div", "log-row");
  readonly text: HTMLElement = make("span", "log-text");
  readonly #number = make("a", "log-number");
  readonly #time = make("span", "log-time");
  #toggle: HTMLButtonElement | undefined;
  #note: HTMLElement | undefined;
  #shown = "";
  #row: Row | undefined;

  constructor(line: number) {
    this.element.dataset["line"] = String(line);
    // Numbers and times are not copied with the text.
    this.#number.dataset["number"] = String(line + 1);
    this.#number.tabIndex = -1;
    this.element.append(this.#number, this.#time, this.text);
  }

  show(facts: RowFacts): void {
    const { row, group, isClosed, time, note, isMarked, isError, href } = facts;
    const key = `${row?.version} ${row?.width} ${row === undefined} ${group?.title} ${isClosed} ${note}`;
    setAttribute(this.#number, "href", href);
    // What colours say is said in words too.
    setAttribute(
      this.#number,
      "aria-label",
      `Line ${facts.line + 1}${isError ? ", looks like an error" : ""}`,
    );
    setAttribute(this.element, "aria-current", isMarked ? "true" : undefined);
    if (this.#time.dataset["time"] !== time) this.#time.dataset["time"] = time;
    this.element.classList.toggle("marked", isMarked);
    this.element.classList.toggle("error", isError);
    if (key === this.#shown && row === this.#row) return;
    this.#shown = key;
    this.#row = row;
    this.element.classList.toggle("loading", row === undefined);
    this.element.classList.toggle("group", group !== undefined);
    if (group === undefined) {
      this.#toggle?.remove();
      this.#note?.remove();
      this.#toggle = this.#note = undefined;
      this.text.replaceChildren(...(row === undefined ? [] : piecesOf(row, 0, row.text)));
      return;
    }
    this.#showGroup(group, isClosed, note, row);
  }

  #showGroup(group: Group, isClosed: boolean, note: string, row: Row | undefined): void {
    if (this.#toggle === undefined) {
      this.#toggle = make("button", "log-fold");
      this.#toggle.type = "button";
      this.#toggle.tabIndex = -1;
      this.#note = make("span", "log-group-note");
      this.element.insertBefore(this.#toggle, this.text);
      this.element.append(this.#note);
    }
    this.#toggle.setAttribute("aria-expanded", String(!isClosed));
    this.#toggle.setAttribute("aria-label", `${isClosed ? "Open" : "Close"} ${group.title}`);
    this.text.replaceChildren(
      ...(row === undefined ? [group.title] : piecesOf(row, group.markLength, row.printedText)),
    );
    if (this.#note !== undefined) this.#note.dataset["note"] = note;
  }
}

/** The pieces of its text, or of what that begins with, without so many characters at the start. */
function piecesOf(row: Row, skipped: number, shown: string): Node[] {
  if (row.runs.length === 0) return [document.createTextNode(shown.slice(skipped))];
  const nodes: Node[] = [];
  let start = skipped;
  for (const [at, { end, style }] of row.runs.entries()) {
    if (end <= start) continue;
    if (start >= shown.length) break;
    const isLast = at === maxPieces;
    const text = shown.slice(start, isLast ? undefined : end);
    start = end;
    const isLink = style.link !== "";
    const element = make(isLink ? "a" : "span", "", text);
    paint(element, style);
    if (isLink) {
      element.setAttribute("href", style.link);
      element.setAttribute("rel", "noopener noreferrer nofollow");
      element.setAttribute("target", "_blank");
      element.title = style.link;
    }
    nodes.push(element);
    if (isLast) break;
  }
  return nodes;
}
