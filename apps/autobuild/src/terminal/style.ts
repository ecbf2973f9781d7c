/**
 * A colour as a terminal names it: `defaultColour`, 0 to 255 of the palette, or
 * `trueColour | 0xrrggbb`.
 */
export type Colour = number;

export const defaultColour: Colour = -1;
export const trueColour = 0x1000000;

/** Bits of `Style.flags`. */
export const styleFlag = {
  bold: 1,
  dim: 2,
  italic: 4,
  underline: 8,
  inverse: 16,
  hidden: 32,
  strike: 64,
} as const;

/** How a piece of text looks, and where it leads. Immutable; equal styles are mostly the same object. */
export interface Style {
  readonly foreground: Colour;
  readonly background: Colour;
  readonly flags: number;
  /** An http(s) address, or "". */
  readonly link: string;
}

export const plainStyle: Style = Object.freeze({
  foreground: defaultColour,
  background: defaultColour,
  flags: 0,
  link: "",
});

const maxKnownStyles = 4096;
const known = new Map<string, Style>();

/** The style with these changes. */
export function restyled(style: Style, changes: Partial<Style>): Style {
  const { foreground, background, flags, link } = { ...style, ...changes };
  if (foreground === defaultColour && background === defaultColour && flags === 0 && link === "")
    return plainStyle;
  const key = `${foreground} ${background} ${flags} ${link}`;
  const same = known.get(key);
  if (same !== undefined) return same;
  // A build that names a million colours gets them; only their sharing begins anew.
  if (known.size >= maxKnownStyles) known.clear();
  const made = Object.freeze({ foreground, background, flags, link });
  known.set(key, made);
  return made;
}

const maxKnownChanges = 64;
const changes = new WeakMap<Style, Map<string, Style>>();

/** `SGR`, ECMA-48 section 8.3.117, and ISO 8613-6 colours: what follows `ESC [` and stands before `m`. */
export function selectGraphicRendition(style: Style, parameters: string): Style {
  // Programs go back and forth between few styles: to remember where to makes an index twice as fast.
  let ways = changes.get(style);
  if (ways === undefined) changes.set(style, (ways = new Map()));
  const there = ways.get(parameters);
  if (there !== undefined) return there;
  const changed = read(style, parameters);
  if (ways.size < maxKnownChanges) ways.set(parameters, changed);
  return changed;
}

function read(style: Style, parameters: string): Style {
  let { foreground, background, flags } = style;
  const fields = parameters.split(";");
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] ?? "";
    const [code = 0, ...details] = field.split(":").map(Number);
    switch (code) {
      case 0:
        foreground = background = defaultColour;
        flags = 0;
        break;
      case 1:
        flags |= styleFlag.bold;
        break;
      case 2:
        flags |= styleFlag.dim;
        break;
      case 3:
        flags |= styleFlag.italic;
        break;
      case 4:
        // `4:0` is none, `4:3` is curly: all are shown as one line.
        if (details[0] === 0) flags &= ~styleFlag.underline;
        else flags |= styleFlag.underline;
        break;
      case 7:
        flags |= styleFlag.inverse;
        break;
      case 8:
        flags |= styleFlag.hidden;
        break;
      case 9:
        flags |= styleFlag.strike;
        break;
      case 21:
        flags |= styleFlag.underline;
        break;
      case 22:
        flags &= ~(styleFlag.bold | styleFlag.dim);
        break;
      case 23:
        flags &= ~styleFlag.italic;
        break;
      case 24:
        flags &= ~styleFlag.underline;
        break;
      case 27:
        flags &= ~styleFlag.inverse;
        break;
      case 28:
        flags &= ~styleFlag.hidden;
        break;
      case 29:
        flags &= ~styleFlag.strike;
        break;
      case 38:
      case 48: {
        // `38:5:n` and `38:2::r:g:b` are one field, `38;5;n` and `38;2;r;g;b` are several.
        const rest = details.length > 0 ? details : fields.slice(index + 1, index + 5).map(Number);
        const colour = extendedColour(rest, details.length > 0);
        if (details.length === 0) index += rest[0] === 5 ? 2 : rest[0] === 2 ? 4 : 1;
        if (colour === undefined) break;
        if (code === 38) foreground = colour;
        else background = colour;
        break;
      }
      case 39:
        foreground = defaultColour;
        break;
      case 49:
        background = defaultColour;
        break;
      default:
        if (code >= 30 && code <= 37) foreground = code - 30;
        else if (code >= 40 && code <= 47) background = code - 40;
        else if (code >= 90 && code <= 97) foreground = code - 82;
        else if (code >= 100 && code <= 107) background = code - 92;
    }
  }
  return restyled(style, { foreground, background, flags });
}

function extendedColour(fields: readonly number[], hasColons: boolean): Colour | undefined {
  const [kind, ...rest] = fields;
  if (kind === 5) return isByte(rest[0]) ? rest[0] : undefined;
  if (kind !== 2) return undefined;
  // With colons a colour space may stand before the three.
  const [red, green, blue] = hasColons && rest.length > 3 ? rest.slice(1) : rest;
  if (!isByte(red) || !isByte(green) || !isByte(blue)) return undefined;
  return trueColour | (red << 16) | (green << 8) | blue;
}

function isByte(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= 255;
}
