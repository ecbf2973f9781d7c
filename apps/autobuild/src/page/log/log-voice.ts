import { make, setText } from "../dom.ts";

/** How often somebody who cannot see hears of new lines. */
const announceMs = 10_000;
const noteMs = 4000;

/** What is said about a log: for a while on the screen, and new lines to those who cannot see them. */
export class LogVoice {
  readonly note: HTMLElement = make("p", "log-note");
  readonly announcer: HTMLElement = make("p", "sr");
  #timer: number | undefined;
  #announcedLines = 0;
  #nextMs = 0;

  constructor() {
    this.announcer.setAttribute("role", "status");
    this.note.setAttribute("role", "status");
    this.note.hidden = true;
  }

  say(text: string): void {
    setText(this.note, text);
    this.note.hidden = false;
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => (this.note.hidden = true), noteMs);
  }

  /** There are so many lines; `lastText` is asked for when it is time to tell. The first ones are not told. */
  announce(lineCount: number, lastText: () => string): void {
    const nowMs = performance.now();
    if (lineCount === this.#announcedLines || nowMs < this.#nextMs) return;
    const before = this.#announcedLines;
    this.#announcedLines = lineCount;
    this.#nextMs = nowMs + announceMs;
    if (before === 0) return;
    const count = lineCount - before;
    setText(
      this.announcer,
      `${count} new ${count === 1 ? "line" : "lines"}. ${lastText().slice(0, 200)}`,
    );
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
