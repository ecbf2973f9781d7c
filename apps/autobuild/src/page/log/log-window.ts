import { make } from "../dom.ts";

/** What the window shows. */
export interface WindowSource {
  /** How many rows are shown, closed groups left out. */
  count(): number;
  lineAt(shown: number): number;
  indexOf(line: number): number;
  /** The element of a line, brought up to date; the same one as long as it is on the screen. */
  element(line: number): HTMLElement;
  /** It has left the screen. */
  drop(line: number): void;
  handleDraw(): void;
  /** The reader has left the end, or is back at it. */
  handleFollow(isFollowing: boolean): void;
}

/** Elements have a greatest height, and Firefox's is 17.9 million pixels: beyond this the scrollbar is to scale. */
const maxSpacePx = 8_000_000;
const settleMs = 120;
/**
 * What nobody can read is drawn no more often. Drawing is most of what following a flood costs, in all of the
 * browser's threads, and the build that prints it needs the processor too.
 */
const floodMs = 25;

/**
 * The rows that can be seen, of any number, in a scroller of the browser's own.
 *
 * What is seen is said by a row and by how far it is above the upper edge. Small movements are exact,
 * whatever the heights of rows are; large ones lead to a place in proportion. When the scroller has come
 * to rest, its bar is put to where the rows are.
 */
export class LogWindow {
  readonly scroller: HTMLElement = make("div", "log-scroller");
  readonly #space = make("div", "log-space");
  readonly #layer = make("div", "log-rows");
  readonly #source: WindowSource;
  readonly #resized: ResizeObserver;
  #shownLines = new Map<number, HTMLElement>();
  #isFollowing = true;
  #top = 0;
  /** In pixels, how much of the top row is above the edge. */
  #above = 0;
  #lastTop = 0;
  #rowPx = 18;
  #frame: number | undefined;
  /** How many rows there were when it was drawn last, and of which frame that was. */
  #drawnCount = 0;
  #drawnMs = -Infinity;
  #settling: number | undefined;

  constructor(source: WindowSource) {
    this.#source = source;
    this.scroller.tabIndex = 0;
    this.#space.append(this.#layer);
    this.scroller.append(this.#space);
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // The reader's own movement counts at once, before new rows push the view down again.
    this.scroller.addEventListener(
      "wheel",
      ({ deltaY }) => {
        if (deltaY < 0) this.unfollow();
      },
      { passive: true },
    );
    let touchY = 0;
    this.scroller.addEventListener(
      "touchstart",
      ({ touches }) => {
        touchY = touches[0]?.clientY ?? 0;
      },
      { passive: true },
    );
    this.scroller.addEventListener(
      "touchmove",
      ({ touches }) => {
        if ((touches[0]?.clientY ?? 0) > touchY + 2) this.unfollow();
      },
      { passive: true },
    );
    this.#resized = new ResizeObserver(() => this.draw());
    this.#resized.observe(this.scroller);
  }

  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  get layer(): HTMLElement {
    return this.#layer;
  }

  /** The line at the upper edge. */
  get topLine(): number {
    return this.#source.lineAt(this.#top);
  }

  close(): void {
    this.#resized.disconnect();
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    clearTimeout(this.#settling);
  }

  follow(): void {
    if (!this.#isFollowing) {
      this.#isFollowing = true;
      this.#source.handleFollow(true);
    }
    this.draw();
  }

  unfollow(): void {
    if (!this.#isFollowing || this.#source.count() * this.#rowPx <= this.#viewPx) return;
    this.#isFollowing = false;
    this.#source.handleFollow(false);
  }

  /** Puts a line in the middle, or at the upper edge. */
  show(line: number, where: "middle" | "top" = "middle"): void {
    this.unfollow();
    const rows = where === "middle" ? Math.floor(this.#viewPx / this.#rowPx / 2) : 0;
    this.#top = Math.max(0, this.#source.indexOf(line) - rows);
    this.#above = 0;
    this.#drawNow();
    this.#settle();
  }

  /** With the next frame. Hidden pages have none, and need none. */
  draw(): void {
    this.#frame ??= requestAnimationFrame((nowMs) => {
      this.#frame = undefined;
      if (this.#isFlooded && nowMs - this.#drawnMs < floodMs) {
        this.draw();
        return;
      }
      this.#drawnMs = nowMs;
      this.#drawNow();
    });
  }

  /** Moves by rows, for the keyboard. */
  move(rows: number): void {
    if (rows < 0) this.unfollow();
    else if (this.#isFollowing) return;
    this.#shift(rows * this.#rowPx);
    this.#drawNow();
    this.#settle();
  }

  /** Rows that a page of the keyboard has. */
  get pageRows(): number {
    return Math.max(1, Math.floor(this.#viewPx / this.#rowPx) - 1);
  }

  /** Nothing that is on the screen will be there after the next drawing. */
  get #isFlooded(): boolean {
    return this.#isFollowing && this.#source.count() - this.#drawnCount > this.pageRows;
  }

  get #viewPx(): number {
    return this.scroller.clientHeight;
  }

  get #spacePx(): number {
    return Math.min(maxSpacePx, Math.max(this.#source.count() * this.#rowPx, this.#viewPx));
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight } = this.scroller;
    const moved = scrollTop - this.#lastTop;
    this.#lastTop = scrollTop;
    if (moved === 0) return;
    if (this.#isFollowing) {
      // At the end of what is drawn nobody has moved: the view got higher. More rows may be there by now.
      if (moved > -1 || scrollHeight - scrollTop - this.#viewPx < 2) return;
      this.unfollow();
    }
    if (Math.abs(moved) <= 3 * this.#viewPx) this.#shift(moved);
    else {
      const range = this.#spacePx - this.#viewPx;
      // Rows that are higher than one line take more than is left there: the end is the end all the same.
      if (scrollTop >= range - 1) {
        this.follow();
        return;
      }
      const place = range <= 0 ? 0 : (scrollTop / range) * this.#lastStart;
      this.#top = Math.floor(place);
      this.#above = (place - this.#top) * this.#rowPx;
    }
    this.#drawNow();
    const isAtEdge =
      (scrollTop <= 1 && this.#top > 0) ||
      (scrollTop >= this.#spacePx - this.#viewPx - 1 && !this.#isAtEnd);
    if (isAtEdge) this.#settle();
    clearTimeout(this.#settling);
    this.#settling = window.setTimeout(() => this.#settle(), settleMs);
    if (moved > 0 && this.#isAtEnd) this.follow();
  }

  /** The row, with its fraction, that is at the upper edge when the last one is at the lower. */
  get #lastStart(): number {
    return Math.max(0, this.#source.count() - this.#viewPx / this.#rowPx);
  }

  get #isAtEnd(): boolean {
    const last = this.#layer.lastElementChild;
    if (!(last instanceof HTMLElement) || !this.#hasLast) return false;
    return (
      this.#layer.offsetTop + last.offsetTop + last.offsetHeight - this.scroller.scrollTop <=
      this.#viewPx + 2
    );
  }

  get #hasLast(): boolean {
    const count = this.#source.count();
    return count === 0 || this.#shownLines.has(this.#source.lineAt(count - 1));
  }

  /** Moves what is seen by pixels, over rows as high as they are. */
  #shift(px: number): void {
    this.#above += px;
    const count = this.#source.count();
    while (this.#above < 0 && this.#top > 0) {
      this.#top -= 1;
      this.#above += this.#heightOf(this.#top);
    }
    for (;;) {
      const height = this.#heightOf(this.#top);
      if (this.#above < height || this.#top >= count - 1) break;
      this.#top += 1;
      this.#above -= height;
    }
    if (this.#top === 0) this.#above = Math.max(0, this.#above);
  }

  #heightOf(shown: number): number {
    return this.#shownLines.get(this.#source.lineAt(shown))?.offsetHeight ?? this.#rowPx;
  }

  #drawNow(): void {
    const count = this.#source.count();
    this.#drawnCount = count;
    const viewRows = Math.ceil(this.#viewPx / this.#rowPx) + 1;
    const overscan = this.#isFollowing ? 4 : viewRows;
    if (this.#isFollowing) {
      this.#top = Math.max(0, count - viewRows);
      this.#above = 0;
    } else this.#top = Math.min(this.#top, Math.max(0, count - 1));
    const from = Math.max(0, this.#top - overscan);
    const until = Math.min(count, this.#top + viewRows + overscan);
    this.#fill(from, until);
    const spacePx = this.#spacePx;
    this.#space.style.height = `${spacePx}px`;
    const first = this.#shownLines.values().next().value;
    if (first !== undefined && first.offsetHeight > 0 && count > 0) this.#measure();
    if (this.#isFollowing) {
      // Few rows begin at the upper edge.
      const rowsPx = this.#layer.offsetHeight;
      this.#layer.style.top = `${rowsPx <= this.#viewPx ? 0 : spacePx - rowsPx}px`;
      this.#scrollTo(spacePx - this.#viewPx);
      this.#findTop();
    } else this.#place(until === count);
    this.#source.handleDraw();
  }

  /** Puts the rows to where the reader is, and not beyond the last. */
  #place(hasEnd: boolean): void {
    const { scrollTop } = this.scroller;
    const element = this.#shownLines.get(this.#source.lineAt(this.#top));
    if (element === undefined) return;
    let top = scrollTop - this.#above - element.offsetTop;
    const bottom = top + this.#layer.offsetHeight;
    if (hasEnd && bottom < scrollTop + this.#viewPx) {
      top = scrollTop + this.#viewPx - this.#layer.offsetHeight;
      if (this.#top === 0 || top + element.offsetTop > scrollTop + this.#viewPx)
        top = Math.min(top, scrollTop);
      this.#layer.style.top = `${top}px`;
      this.#findTop();
      return;
    }
    this.#layer.style.top = `${top}px`;
  }

  /** Which row is at the upper edge, by where the rows are. */
  #findTop(): void {
    const edge = this.scroller.scrollTop - this.#layer.offsetTop;
    for (const [line, element] of this.#shownLines) {
      if (element.classList.contains("pinned")) continue;
      if (element.offsetTop + element.offsetHeight <= edge) continue;
      this.#top = this.#source.indexOf(line);
      this.#above = Math.max(0, edge - element.offsetTop);
      return;
    }
  }

  #measure(): void {
    const px = Number.parseFloat(getComputedStyle(this.scroller).lineHeight);
    if (px > 0) this.#rowPx = px;
  }

  #scrollTo(top: number): void {
    if (Math.abs(this.scroller.scrollTop - top) >= 1) this.scroller.scrollTop = top;
    this.#lastTop = this.scroller.scrollTop;
  }

  /** Puts the bar to where the rows are. Nothing moves that can be seen. */
  #settle(): void {
    if (this.#isFollowing) return;
    const range = this.#spacePx - this.#viewPx;
    const start = this.#lastStart;
    const place = this.#top + this.#above / this.#rowPx;
    const wanted = start === 0 ? 0 : Math.round(range * Math.min(1, place / start));
    if (Math.abs(wanted - this.scroller.scrollTop) < 2) return;
    this.#scrollTo(wanted);
    this.#drawNow();
  }

  /** Has exactly these rows in the layer, and those that a selection begins or ends in. */
  #fill(from: number, until: number): void {
    const wanted = new Map<number, HTMLElement>();
    for (let shown = from; shown < until; shown++) {
      const line = this.#source.lineAt(shown);
      wanted.set(line, this.#source.element(line));
    }
    const pinned = this.#selected();
    const all = [...wanted.keys()];
    for (const [line, element] of this.#shownLines) {
      if (wanted.has(line)) continue;
      if (pinned.has(element)) all.push(line);
      else {
        element.remove();
        this.#source.drop(line);
      }
    }
    all.sort((a, b) => a - b);
    const next = new Map<number, HTMLElement>();
    let place = this.#layer.firstChild;
    for (const line of all) {
      const element = wanted.get(line) ?? this.#shownLines.get(line);
      if (element === undefined) continue;
      element.classList.toggle("pinned", !wanted.has(line));
      next.set(line, element);
      if (element === place) place = place.nextSibling;
      else this.#layer.insertBefore(element, place);
    }
    this.#shownLines = next;
  }

  /** The rows that a selection begins and ends in stay: without them the browser would give it up. */
  #selected(): Set<Element> {
    const rows = new Set<Element>();
    const selection = getSelection();
    if (selection === null || selection.isCollapsed) return rows;
    for (const node of [selection.anchorNode, selection.focusNode]) {
      const element = node instanceof Element ? node : node?.parentElement;
      const row = element?.closest(".log-row");
      if (row != null && this.#layer.contains(row)) rows.add(row);
    }
    return rows;
  }
}
