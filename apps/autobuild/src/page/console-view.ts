import { StyledText } from "./styled-text.ts";

const linesPerBlock = 250;
const charactersPerBlock = 128 * 1024;
/** Elements in a block; when they are used up, its further lines are shown without colours. */
const elementsPerBlock = 2000;
const maxBlocks = 20;
/** Somebody who reads further up keeps what is on the screen for so much longer. */
const maxBlocksWhileReading = 80;
/** How long a browser may take to scroll smoothly by a page. */
const glideMs = 400;
const maxWaitingCharacters = 8 * 1024 * 1024;

/** What begins a line of AutoBuild's own. A build may print it too, and gains nothing by it. */
const ownLine = "=== ";

interface Block {
  readonly element: HTMLElement;
  lines: number;
  characters: number;
  elements: number;
}

/**
 * The black page with the green `<pre>`: a log that grows, of which the newest 5,000
 * lines stay. It follows the end until the reader scrolls up, and again from the end on.
 */
export class ConsoleView {
  readonly #scroller: HTMLElement;
  readonly #pre: HTMLElement;
  readonly #toEnd: HTMLButtonElement;
  readonly #cut: HTMLElement;
  readonly #styled = new StyledText();
  #waiting: string[] = [];
  #waitingCharacters = 0;
  #isDrawing = false;
  #isFollowing = true;
  #unseen = 0;
  #lastTop = 0;
  #followedAt = 0;
  #block: Block | undefined;

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
    this.#scroller.addEventListener("keydown", (event) => {
      if (["PageUp", "ArrowUp", "Home"].includes(event.key)) this.#unfollow();
      else if (event.key === "End") {
        // The browser would glide to where the end is now, and arrive where it was.
        event.preventDefault();
        this.follow();
      }
    });
    this.#toEnd.addEventListener("click", () => {
      this.follow();
      // The button is gone now, and the keyboard must be somewhere.
      this.#scroller.focus({ preventScroll: true });
    });
    // Lines that wrap anew, and blocks that turn out higher than was thought, move the end.
    const resized = new ResizeObserver(() => this.#isFollowing && this.#toBottom());
    resized.observe(this.#pre);
    resized.observe(this.#scroller);
  }

  clear(): void {
    this.#waiting = [];
    this.#waitingCharacters = 0;
    this.#styled.reset();
    this.#pre.replaceChildren();
    this.#block = undefined;
    this.#cut.hidden = true;
    this.follow();
  }

  /** Adds whole lines. They are drawn together with what else comes before the next frame. */
  append(text: string): void {
    for (const line of text.split("\n")) this.#waiting.push(line);
    this.#waitingCharacters += text.length;
    // What would fall out at the top again is not drawn at all.
    const most = linesPerBlock * maxBlocks;
    if (this.#waiting.length > 2 * most || this.#waitingCharacters > maxWaitingCharacters) {
      this.#waiting = this.#waiting.slice(-Math.min(most, Math.ceil(this.#waiting.length / 2)));
      this.#waitingCharacters = this.#waiting.reduce((sum, line) => sum + line.length, 0);
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
    this.#followedAt = performance.now();
    this.#unseen = 0;
    this.#toEnd.hidden = true;
    this.#trim();
    this.#toBottom();
  }

  /** Shows the last of AutoBuild's own lines that begins like this, at the top. False when it is not here (any more). */
  show(beginning: string): boolean {
    const line = [...this.#pre.querySelectorAll(".own")].findLast((element) =>
      element.textContent.startsWith(beginning),
    );
    if (line === undefined) return false;
    this.#unfollow();
    line.scrollIntoView({ block: "start" });
    return true;
  }

  #draw(): void {
    this.#isDrawing = false;
    const lines = this.#waiting;
    this.#waiting = [];
    this.#waitingCharacters = 0;
    for (const line of lines) this.#add(line);
    this.#trim();
    if (this.#isFollowing) this.#toBottom();
    else {
      this.#unseen += lines.length;
      this.#toEnd.textContent = `Go to the end (${this.#unseen} new ${this.#unseen === 1 ? "line" : "lines"})`;
    }
  }

  /** Adds a line as text and nothing else: it may hold anything, `<script>` too. */
  #add(line: string): void {
    const block = this.#blockWithRoom();
    const isOwn = line.startsWith(ownLine);
    // A style that a killed step left on ends with it.
    if (isOwn) this.#styled.reset();
    for (const { text, classes } of this.#styled.line(line)) {
      const names = isOwn ? "own" : classes;
      block.characters += text.length;
      if (names === "" || block.elements >= elementsPerBlock) block.element.append(text);
      else {
        const span = document.createElement("span");
        span.className = names;
        span.textContent = text;
        block.element.append(span);
        block.elements++;
      }
    }
    block.element.append("\n");
    block.lines++;
  }

  #blockWithRoom(): Block {
    const block = this.#block;
    if (block !== undefined && block.lines < linesPerBlock && block.characters < charactersPerBlock)
      return block;
    block?.element.normalize();
    const element = document.createElement("span");
    element.className = "block";
    this.#pre.append(element);
    return (this.#block = { element, lines: 0, characters: 0, elements: 0 });
  }

  #trim(): void {
    const most = this.#isFollowing ? maxBlocks : maxBlocksWhileReading;
    while (this.#pre.childElementCount > most) {
      this.#pre.firstElementChild?.remove();
      this.#cut.hidden = false;
    }
  }

  #toBottom(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Only a movement upwards ends the following: the end also moves away by itself, as lines come. */
  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const toEnd = scrollHeight - scrollTop - clientHeight;
    const isUpwards = scrollTop < this.#lastTop - 1;
    this.#lastTop = scrollTop;
    if (!this.#isFollowing) {
      if (!isUpwards && toEnd < 24) this.follow();
    } else if (performance.now() - this.#followedAt < glideMs) {
      // A glide that began before goes on for a moment, and nobody wants it any more.
      if (toEnd >= 1) this.#toBottom();
    } else if (isUpwards && toEnd > 4) this.#unfollow();
  }

  #unfollow(): void {
    if (!this.#isFollowing || this.#scroller.scrollHeight <= this.#scroller.clientHeight) return;
    this.#isFollowing = false;
    this.#unseen = 0;
    this.#toEnd.textContent = "Go to the end";
    this.#toEnd.hidden = false;
  }
}
