/** The element of that id, which the page must have. */
export function part<Part extends HTMLElement = HTMLElement>(id: string): Part {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Expected an element #${id} in the page, got none.`);
  return element as Part;
}

/** Leaves what is the same alone: screen readers and selections are not disturbed. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes an element with a class and a text. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = "",
  text = "",
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}
