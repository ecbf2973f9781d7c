import { make, setAttribute, setText } from "./dom.ts";

/** A tab and what it shows. */
export interface Tab {
  readonly id: string;
  readonly panel: HTMLElement;
}

/** Panels of which one is shown. With a single one there is nothing to choose, and no row of tabs. */
export class Tabs {
  readonly element = make("div", "tabs");
  readonly #tabs = new Map<string, { button: HTMLButtonElement; panel: HTMLElement }>();

  /** `handleSelect` is called when somebody chooses a tab; it is not shown before `show` says so. */
  constructor(tabs: readonly Tab[], handleSelect: (id: string) => void) {
    this.element.setAttribute("role", "tablist");
    for (const { id, panel } of tabs) {
      const button = make("button");
      button.type = "button";
      button.id = `tab-${id}`;
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", `panel-${id}`);
      panel.id = `panel-${id}`;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", button.id);
      button.addEventListener("click", () => handleSelect(id));
      this.element.append(button);
      this.#tabs.set(id, { button, panel });
    }
    this.element.addEventListener("keydown", (event) => this.#handleKey(event));
  }

  /** `labels`: of those that there are, by id. */
  show(labels: Readonly<Record<string, string>>, selected: string): void {
    for (const [id, { button, panel }] of this.#tabs) {
      const label = labels[id];
      const isSelected = id === selected && label !== undefined;
      button.hidden = label === undefined;
      if (label !== undefined) setText(button, label);
      setAttribute(button, "aria-selected", String(isSelected));
      button.tabIndex = isSelected ? 0 : -1;
      panel.hidden = !isSelected;
    }
    this.element.hidden = Object.keys(labels).length < 2;
  }

  #handleKey(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    const buttons = [...this.#tabs.values()].flatMap(({ button }) =>
      button.hidden ? [] : [button],
    );
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const next = buttons[(at + by + buttons.length) % buttons.length];
    next?.focus();
    next?.click();
    event.preventDefault();
  }
}
