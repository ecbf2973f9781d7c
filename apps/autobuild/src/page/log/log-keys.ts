import { remembered } from "../memory.ts";

/** What keys do with a log. */
export interface KeyActions {
  find(): void;
  isFinding(): boolean;
  hit(direction: 1 | -1): void;
  nextError(): void;
  toggleWrap(): void;
  nextTimes(): void;
  selectAll(): void;
  toStart(): void;
  toEnd(): void;
  move(rows: number): void;
  movePages(pages: number): void;
}

/** Keys of the page, while it has this log. */
export function pressKey(event: KeyboardEvent, root: HTMLElement, actions: KeyActions): void {
  if (!root.isConnected || root.offsetParent === null) return;
  const isFind = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f";
  // Once more is the browser's own.
  if (isFind && !actions.isFinding()) {
    event.preventDefault();
    actions.find();
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]") !== null) return;
  if (event.key === "/" && remembered("shortcuts") !== "no") {
    event.preventDefault();
    actions.find();
    return;
  }
  // Elsewhere the other keys are the page's.
  const isInLog = event.target instanceof Node && root.contains(event.target);
  const isForLog = (event.key === "e" || event.key === "t") && remembered("shortcuts") !== "no";
  if (!isInLog && !isForLog) return;
  switch (event.key) {
    case "n":
      actions.hit(1);
      break;
    case "N":
      actions.hit(-1);
      break;
    case "e":
      actions.nextError();
      break;
    case "w":
      actions.toggleWrap();
      break;
    case "t":
      actions.nextTimes();
      break;
    default:
      return;
  }
  event.preventDefault();
}

/** Keys of the rows. */
export function moveByKey(event: KeyboardEvent, actions: KeyActions): void {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") {
    event.preventDefault();
    actions.selectAll();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  switch (event.key) {
    case "Home":
      actions.toStart();
      break;
    case "End":
      actions.toEnd();
      break;
    case "ArrowUp":
    case "k":
      actions.move(-1);
      break;
    case "ArrowDown":
    case "j":
      actions.move(1);
      break;
    case "PageUp":
      actions.movePages(-1);
      break;
    case "PageDown":
    case " ":
      actions.movePages(event.shiftKey ? -1 : 1);
      break;
    default:
      return;
  }
  event.preventDefault();
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
