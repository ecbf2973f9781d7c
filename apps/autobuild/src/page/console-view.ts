import { visibleLine } from "./format.ts";

const linesPerBlock = 250;
const maxBlocks = 20;

/**
 * The black page with the green `<pre>`: a log that grows, of which the newest 5,000
 * lines stay. It follows the end until the reader scrolls up, and again from the end on.
 */
export class ConsoleView {
  readonly #scroller: HTMLElement;
  readonly #pre: HTMLElement;
  readonly #toEnd: HTMLButtonElement;
  readonly #cut: HTMLElement;
  #waiting: string[] = [];
  #isDrawing = false;
  #isFollowing = true;
  #unseen = 0;
  #block: HTMLElement | undefined;
  #linesInBlock = 0;

  constructor(parts: {
    readonly scroller: HTMLElement;
    readonly pre: HTMLElement;
    readonly toEnd: HTMLButtonElement;
    readonly cut: HTMLElement;
  }) {
    this.#scroller = parts.scroller;
    this.#pre = parts.pre;
    this.#toEnd = parts.toEnd;
    this.#cut = parts.cut;
    this.#scroller.addEventListener("scroll", () => this.#scrolled());
    // A reader's own movement upwards counts at once, before the next lines push the view down again.
    this.#scroller.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && this.#unfollow(), {
      passive: true,
    });
    this.#scroller.addEventListener(
      "keydown",
      ({ key }) => ["PageUp", "ArrowUp", "Home"].includes(key) && this.#unfollow(),
    );
    this.#toEnd.addEventListener("click", () => this.follow());
  }

  clear(): void {
    this.#waiting = [];
    this.#pre.replaceChildren();
    this.#block = undefined;
    this.#linesInBlock = 0;
    this.#cut.hidden = true;
    this.follow();
  }

  /** Adds whole lines. They are drawn together with what else comes before the next frame. */
  append(text: string): void {
    for (const line of text.split("\n")) this.#waiting.push(line);
    // What would fall out at the top again is not drawn at all.
    const most = linesPerBlock * maxBlocks;
    if (this.#waiting.length > 2 * most) {
      this.#waiting = this.#waiting.slice(-most);
      this.#cut.hidden = false;
    }
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    // Not with a frame alone: hidden pages have none, and must not pile up lines.
    if (document.visibilityState === "hidden") setTimeout(() => this.#draw(), 200);
    else requestAnimationFrame(() => this.#draw());
  }

  follow(): void {
    this.#isFollowing = true;
    this.#unseen = 0;
    this.#toEnd.hidden = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #draw(): void {
    this.#isDrawing = false;
    const lines = this.#waiting;
    this.#waiting = [];
    for (let index = 0; index < lines.length;) {
      if (this.#block === undefined || this.#linesInBlock >= linesPerBlock) this.#addBlock();
      const part = lines.slice(index, index + linesPerBlock - this.#linesInBlock);
      // Text only: a line may hold anything, `<script>` too.
      this.#block?.append(`${part.map(visibleLine).join("\n")}\n`);
      this.#linesInBlock += part.length;
      index += part.length;
    }
    while (this.#pre.childElementCount > maxBlocks) {
      this.#pre.firstElementChild?.remove();
      this.#cut.hidden = false;
    }
    if (this.#isFollowing) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    else {
      this.#unseen += lines.length;
      this.#toEnd.textContent = `Go to the end (${this.#unseen} new ${this.#unseen === 1 ? "line" : "lines"})`;
    }
  }

  #addBlock(): void {
    this.#block = document.createElement("span");
    this.#block.className = "block";
    this.#pre.append(this.#block);
    this.#linesInBlock = 0;
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 24;
    if (isAtEnd && !this.#isFollowing) this.follow();
    else if (!isAtEnd && scrollHeight - scrollTop - clientHeight > clientHeight / 2)
      this.#unfollow();
  }

  #unfollow(): void {
    if (!this.#isFollowing || this.#scroller.scrollHeight <= this.#scroller.clientHeight) return;
    this.#isFollowing = false;
    this.#unseen = 0;
    this.#toEnd.textContent = "Go to the end";
    this.#toEnd.hidden = false;
  }
}
