import {
  defaultColour,
  styleFlag,
  trueColour,
  type Colour,
  type Style,
} from "../../terminal/style.ts";

type Rgb = readonly [number, number, number];

/** WCAG 2.2 asks for 4.5; marked rows have a paper of their own, which takes some of it. */
const least = 5.8;
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

type Scheme = keyof typeof papers;

/** Puts a style on an element. Text is readable on whatever is behind it, in both schemes. */
export function paint(element: HTMLElement, style: Style): void {
  const { flags, foreground, background } = style;
  const classes: string[] = [];
  if (flags & styleFlag.bold) classes.push("bold");
  if (flags & styleFlag.italic) classes.push("italic");
  if (flags & styleFlag.underline) classes.push("underline");
  if (flags & styleFlag.strike) classes.push("strike");
  if (classes.length > 0) element.className = classes.join(" ");
  const needsColour = (flags & (styleFlag.dim | styleFlag.inverse)) !== 0;
  if (foreground === defaultColour && background === defaultColour && !needsColour) return;
  const light = coloursOf(style, "light");
  const dark = coloursOf(style, "dark");
  element.style.color = `light-dark(${css(light.ink)}, ${css(dark.ink)})`;
  if (background !== defaultColour || flags & styleFlag.inverse)
    element.style.backgroundColor = `light-dark(${css(light.paper)}, ${css(dark.paper)})`;
}

function coloursOf(
  { flags, foreground, background }: Style,
  scheme: Scheme,
): { readonly ink: Rgb; readonly paper: Rgb } {
  let ink = foreground === defaultColour ? inks[scheme] : rgbOf(foreground);
  let paper = background === defaultColour ? papers[scheme] : rgbOf(background);
  if (flags & styleFlag.inverse) [ink, paper] = [paper, ink];
  if (flags & styleFlag.dim) ink = mixed(ink, paper, 0.4);
  return { ink: readable(ink, paper), paper };
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
