// Control characters, and marks that turn the direction of what follows.
const steering =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text of somebody else's for a line of a terminal or a page: what could steer it becomes `\ufffd`, one for one. */
export function plainText(text: string): string {
  return text.replaceAll("\t", " ").replace(steering, "\ufffd");
}

/** The first line of a text, with `…` where there are more: faults of configurations are shown with their lines. */
export function firstLine(text: string): string {
  const end = text.indexOf("\n");
  return end === -1 ? text : `${text.slice(0, end)} …`;
}
