import { make } from "./dom.ts";
import { remember, remembered } from "./memory.ts";

/** A key and what it does. */
export interface Shortcut {
  readonly key: string;
  readonly what: string;
  /** False where it means nothing: the key is left to the browser then. */
  run(): boolean;
}

/** The page's keys, and the sheet that tells them. Somebody who speaks to the computer can turn them off there. */
export class Shortcuts {
  readonly #dialog: HTMLDialogElement;
  readonly #shortcuts: readonly Shortcut[];
  readonly #isOn = make("input");

  constructor(dialog: HTMLDialogElement, shortcuts: readonly Shortcut[]) {
    this.#dialog = dialog;
    this.#shortcuts = shortcuts;
    this.#fill();
    addEventListener("keydown", (event) => this.#handleKey(event));
  }

  open(): void {
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  #handleKey(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") !== null || isTaken(event)) return;
    if (event.key === "?") {
      event.preventDefault();
      this.open();
      return;
    }
    if (!this.#isOn.checked) return;
    const shortcut = this.#shortcuts.find(({ key }) => key === event.key);
    if (shortcut?.run() === true) event.preventDefault();
  }

  #fill(): void {
    const title = make("h2", "", "Keyboard shortcuts");
    title.id = "help-title";
    const list = make("dl");
    for (const { key, what } of [{ key: "?", what: "This sheet" }, ...this.#shortcuts]) {
      const [group, term, value] = [make("div"), make("dt"), make("dd", "", what)];
      term.append(make("kbd", "", key));
      group.append(term, value);
      list.append(group);
    }
    const label = make("label");
    this.#isOn.type = "checkbox";
    this.#isOn.checked = remembered("shortcuts") !== "no";
    this.#isOn.addEventListener("change", () =>
      remember("shortcuts", this.#isOn.checked ? "yes" : "no"),
    );
    label.append(this.#isOn, " Single keys do something");
    const form = make("form");
    form.method = "dialog";
    const close = make("button", "", "Close");
    close.autofocus = true;
    form.append(close);
    this.#dialog.append(title, list, label, form);
    // A click beside the sheet closes it.
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
  }
}

/** Whether the key is for what has the focus: a field, or a log with keys of its own. */
function isTaken(event: KeyboardEvent): boolean {
  const element = event.target;
  if (!(element instanceof HTMLElement)) return false;
  if (element.isContentEditable || element.matches("input, select, textarea")) return true;
  return event.key !== "?" && element.closest("[data-keys=own]") !== null;
}
