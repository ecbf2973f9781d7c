import {
  defaultColour,
  styleFlag,
  trueColour,
  type Colour,
  type Style,
} from "../../terminal/style.ts";

type Rgb = readonly [number, number, number];

const least = 4.5;
/** What the log is written on, dark and light; as in log.css. */
const papers = { dark: [11, 15, 11] as Rgb, light: [255, 255, 255] as Rgb };
const inks = { dark: [219, 232, 219] as Rgb, light: [20, 32, 20] as Rgb };

/** The 16 colours that programs name, before they are made readable. */
const named: readonly Rgb[] = [
  [92, 99, 92],
  [224, 64, 56],
  [32, 152, 64],
  [176, 128, 0],
  [48, 112, 224],
  [176, 72, 200],
  [0, 144, 160],
  [190, 200, 190],
  [124, 134, 124],
  [255, 107, 97],
  [61, 220, 90],
  [229, 192, 75],
  [127, 178, 255],
  [224, 140, 255],
  [53, 214, 214],
  [255, 255, 255],
];

export type Scheme = keyof typeof papers;

/** Puts a style on an element. Text is readable on whatever is behind it, in both schemes. */
export function paint(element: HTMLElement, style: Style, scheme: Scheme): void {
  const { flags } = style;
  let { foreground, background } = style;
  if (flags & styleFlag.inverse) {
    [foreground, background] = [
      background === defaultColour ? trueColour | pack(papers[scheme]) : background,
      foreground === defaultColour ? trueColour | pack(inks[scheme]) : foreground,
    ];
  }
  const classes: string[] = [];
  if (flags & styleFlag.bold) classes.push("bold");
  if (flags & styleFlag.italic) classes.push("italic");
  if (flags & styleFlag.underline) classes.push("underline");
  if (flags & styleFlag.strike) classes.push("strike");
  element.className = classes.join(" ");
  const isDim = (flags & styleFlag.dim) !== 0;
  if (foreground === defaultColour && background === defaultColour && !isDim) return;
  const paper = background === defaultColour ? papers[scheme] : rgbOf(background);
  if (background !== defaultColour) element.style.backgroundColor = css(paper);
  let ink = foreground === defaultColour ? inks[scheme] : rgbOf(foreground);
  if (isDim) ink = mixed(ink, paper, 0.4);
  element.style.color = css(readable(ink, paper));
}

const readables = new Map<number, Rgb>();

/** The colour, or the nearest to it that can be read: lighter on dark paper, darker on light. */
export function readable(ink: Rgb, paper: Rgb): Rgb {
  const key = pack(ink) * 0x1000000 + pack(paper);
  const known = readables.get(key);
  if (known !== undefined) return known;
  const towards: Rgb = luminance(paper) < 0.18 ? [255, 255, 255] : [0, 0, 0];
  let found = ink;
  for (let share = 0; contrast(found, paper) < least && share < 1; share += 0.05)
    found = mixed(ink, towards, share + 0.05);
  if (readables.size > 4096) readables.clear();
  readables.set(key, found);
  return found;
}

/** WCAG 2.2, contrast ratio. */
export function contrast(one: Rgb, other: Rgb): number {
  const [high = 0, low = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: Rgb): number {
  const [red = 0, green = 0, blue = 0] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** What a terminal means by a colour. */
export function rgbOf(colour: Colour): Rgb {
  if (colour >= trueColour) return [(colour >> 16) & 255, (colour >> 8) & 255, colour & 255];
  if (colour < 16) return named[colour] ?? [0, 0, 0];
  if (colour >= 232) {
    const grey = 8 + 10 * (colour - 232);
    return [grey, grey, grey];
  }
  const cube = colour - 16;
  const step = (value: number): number => (value === 0 ? 0 : 55 + 40 * value);
  return [step(Math.floor(cube / 36)), step(Math.floor(cube / 6) % 6), step(cube % 6)];
}

function mixed(one: Rgb, other: Rgb, share: number): Rgb {
  const part = (at: 0 | 1 | 2): number => Math.round(one[at] * (1 - share) + other[at] * share);
  return [part(0), part(1), part(2)];
}

function pack([red, green, blue]: Rgb): number {
  return (red << 16) | (green << 8) | blue;
}

function css([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`;
}
