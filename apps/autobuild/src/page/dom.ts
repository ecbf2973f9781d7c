/** The element of that id, which the page must have. */
export function part<Part extends HTMLElement = HTMLElement>(id: string): Part {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Expected an element #${id} in the page, got none.`);
  return element as Part;
}

/** Leaves what is the same alone: screen readers and selections are not disturbed. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** As `setText`, of an attribute. Undefined takes it away. */
export function setAttribute(element: Element, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
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

/** What is said by shape to those who see it, and in words beside it to all others. */
export function makeMark(): HTMLSpanElement {
  const mark = make("span", "mark");
  mark.setAttribute("aria-hidden", "true");
  return mark;
}

/** A name that somebody else chose: its direction and its end do not reach into what stands beside it. */
export function makeName(className: string): HTMLElement {
  const name = make("bdi", className);
  name.dir = "auto";
  return name;
}

/** Brings children into that order and takes away all others. What stays is not moved, and keeps the focus. */
export function setChildren(parent: Element, children: readonly Element[]): void {
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove();
  for (const [index, child] of children.entries())
    if (parent.children[index] !== child)
      parent.insertBefore(child, parent.children[index] ?? null);
}
