/** A sequence that only colours what follows (SGR): `ESC [ 1;31 m`. */
const sgr = "\\u001B\\[[0-9;:]{0,64}m";

// Any other sequence: CSI, OSC and the other strings, two-character ones; then single control characters.
const sequences = new RegExp(
  [
    `(${sgr})`,
    "\\u001B\\[[0-?]*[ -/]*[@-~]",
    "\\u001B[\\]PX^_][^\\u0007\\u001B]*(?:\\u0007|\\u001B\\\\)?",
    "\\u001B[ -/]*[0-~]",
    "[\\u0000-\\u0008\\u000B-\\u001F\\u007F-\\u009F]",
    "[\\u202A-\\u202E\\u2066-\\u2069]",
  ].join("|"),
  "g",
);

/**
 * Whole lines of a build's output as a terminal may get them: colours stay, and nothing else that steers.
 *
 * A sequence could set the title, read the clipboard, answer in the place of the person who types, or clear what was
 * shown. Of a line that was written over itself (a progress bar) the last state is shown.
 */
export function terminalText(text: string): string {
  return text
    .split("\n")
    .map((line) => lastState(line).replace(sequences, (_whole, colour?: string) => colour ?? ""))
    .join("\n");
}

/** Ends whatever colour a build left. */
export const resetColour = "\u001B[0m";

function lastState(line: string): string {
  const trimmed = line.replace(/\r+$/, "");
  return trimmed.slice(trimmed.lastIndexOf("\r") + 1);
}
