import type { Row } from "../../terminal/row.ts";

/** A place in the text of a log: a row from 0 on, and how many characters of it come before. */
interface Place {
  readonly line: number;
  readonly at: number;
}

const maxCopiedLines = 200_000;
const partlyCopied = `Copied the first ${maxCopiedLines.toLocaleString("en")} lines. The raw log has all.`;

/** Copies what is selected, also where its rows are not on the screen any more. */
export class LogSelection {
  readonly #layer: HTMLElement;
  readonly #row: (line: number) => Row | undefined;
  readonly #lineCount: () => number;
  readonly #bring: (from: number, until: number) => Promise<boolean>;
  #isAll = false;

  /** @param bring fetches what is missing of the rows `from` to `until`; false when it could not */
  constructor(
    layer: HTMLElement,
    row: (line: number) => Row | undefined,
    lineCount: () => number,
    bring: (from: number, until: number) => Promise<boolean>,
  ) {
    this.#layer = layer;
    this.#row = row;
    this.#lineCount = lineCount;
    this.#bring = bring;
    layer.addEventListener("pointerdown", () => (this.#isAll = false));
  }

  selectAll(): void {
    getSelection()?.selectAllChildren(this.#layer);
    this.#isAll = true;
  }

  /** For `copy`: puts the text on the clipboard. What is not here yet is fetched first. */
  copy(event: ClipboardEvent, handleNote: (text: string) => void): void {
    const range = this.#range();
    if (range === undefined || event.clipboardData === null) return;
    const [start, end] = range;
    event.preventDefault();
    const until = Math.min(end.line, start.line + maxCopiedLines - 1);
    const text = this.#text(start, end, until);
    if (text === undefined) {
      void this.#copyLater(start, end, until, handleNote);
      return;
    }
    event.clipboardData.setData("text/plain", text);
    if (until < end.line) handleNote(partlyCopied);
  }

  async #copyLater(
    start: Place,
    end: Place,
    until: number,
    handleNote: (text: string) => void,
  ): Promise<void> {
    handleNote("Fetching what is to be copied...");
    const isHere = await this.#bring(start.line, until);
    const text = isHere ? this.#text(start, end, until) : undefined;
    if (text === undefined) {
      handleNote("Not copied: the lines could not be fetched. The raw log has them.");
      return;
    }
    // Pages without HTTPS have no clipboard of their own: the next copying finds all of it here.
    await Promise.resolve(navigator.clipboard as Clipboard | undefined)
      .then((clipboard) => {
        if (clipboard === undefined) throw new Error("Expected a clipboard, got none.");
        return clipboard.writeText(text);
      })
      .then(
        () => handleNote(until < end.line ? partlyCopied : "Copied."),
        () => handleNote("Here it is now: copy once more."),
      );
  }

  #range(): readonly [Place, Place] | undefined {
    const selection = getSelection();
    if (selection === null || selection.isCollapsed) return undefined;
    if (this.#isAll)
      return [
        { line: 0, at: 0 },
        { line: Math.max(0, this.#lineCount() - 1), at: Infinity },
      ];
    const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
    if (!this.#layer.contains(anchorNode) || !this.#layer.contains(focusNode)) return undefined;
    const anchor = placeOf(anchorNode, anchorOffset);
    const focus = placeOf(focusNode, focusOffset);
    if (anchor === undefined || focus === undefined) return undefined;
    const isForward =
      anchor.line < focus.line || (anchor.line === focus.line && anchor.at <= focus.at);
    return isForward ? [anchor, focus] : [focus, anchor];
  }

  /** Undefined when a row is missing. */
  #text(start: Place, end: Place, until: number): string | undefined {
    let text = "";
    for (let line = start.line; line <= until; line++) {
      const row = this.#row(line);
      if (row === undefined) return undefined;
      const from = line === start.line ? start.at : 0;
      const to = line === end.line ? end.at : Infinity;
      // A line that was too long for one row is one line.
      if (line > start.line && !row.isContinued) text += "\n";
      text += row.text.slice(from, to);
    }
    return text;
  }
}

function placeOf(node: Node | null, offset: number): Place | undefined {
  const element = node instanceof Element ? node : node?.parentElement;
  const row = element?.closest<HTMLElement>(".log-row");
  const text = row?.querySelector(".log-text");
  if (row == null || text == null || node === null) return undefined;
  const line = Number(row.dataset["line"]);
  if (!text.contains(node)) return { line, at: 0 };
  const range = document.createRange();
  range.selectNodeContents(text);
  range.setEnd(node, offset);
  return { line, at: range.toString().length };
}
