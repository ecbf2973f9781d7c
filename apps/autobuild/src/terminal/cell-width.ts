/** Whether all of a text is one cell a UTF-16 unit: Latin, Greek, Cyrillic and the like, without combining marks. */
export function isSimple(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x300 && (unit < 0x370 || unit > 0x58f) && !isSimpleSymbol(unit)) return false;
  }
  return true;
}

/** Punctuation, arrows, boxes, blocks, dingbats without emoji, the replacement character. */
function isSimpleSymbol(unit: number): boolean {
  return (
    (unit >= 0x2010 && unit <= 0x2027) ||
    (unit >= 0x2190 && unit <= 0x23ff && !isWide(unit)) ||
    (unit >= 0x2500 && unit <= 0x25fc) ||
    (unit >= 0x2800 && unit <= 0x28ff) ||
    unit === 0x2713 ||
    unit === 0x2717 ||
    unit === 0x276f ||
    unit === 0xfffd
  );
}

/** How many cells of a terminal a character takes: 0, 1 or 2. */
export function cellWidth(codePoint: number): number {
  if (codePoint < 0x300) return 1;
  if (isZero(codePoint)) return 0;
  return isWide(codePoint) ? 2 : 1;
}

/** How many a text takes. */
export function widthOf(text: string): number {
  if (isSimple(text)) return text.length;
  let width = 0;
  for (const character of text) width += cellWidth(character.codePointAt(0) ?? 0);
  return width;
}

function isZero(code: number): boolean {
  return (
    (code >= 0x300 && code <= 0x36f) ||
    (code >= 0x483 && code <= 0x489) ||
    (code >= 0x591 && code <= 0x5bd) ||
    (code >= 0x610 && code <= 0x61a) ||
    (code >= 0x64b && code <= 0x65f) ||
    (code >= 0x1ab0 && code <= 0x1aff) ||
    (code >= 0x1dc0 && code <= 0x1dff) ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x2064) ||
    (code >= 0x2066 && code <= 0x206f) ||
    (code >= 0x20d0 && code <= 0x20ff) ||
    (code >= 0xfe00 && code <= 0xfe0f) ||
    (code >= 0xfe20 && code <= 0xfe2f) ||
    code === 0xfeff ||
    (code >= 0x1f3fb && code <= 0x1f3ff) ||
    (code >= 0xe0000 && code <= 0xe0fff)
  );
}

/** East Asian wide and full width, and emoji that are shown as pictures by default (Unicode TR 11). */
function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    code === 0x231a ||
    code === 0x231b ||
    (code >= 0x23e9 && code <= 0x23ec) ||
    code === 0x23f0 ||
    code === 0x23f3 ||
    code === 0x2614 ||
    code === 0x2615 ||
    code === 0x26a1 ||
    code === 0x2705 ||
    code === 0x270a ||
    code === 0x270b ||
    code === 0x2728 ||
    code === 0x274c ||
    code === 0x274e ||
    (code >= 0x2753 && code <= 0x2755) ||
    code === 0x2757 ||
    (code >= 0x2795 && code <= 0x2797) ||
    (code >= 0x2e80 && code <= 0x303e) ||
    (code >= 0x3041 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1f64f) ||
    (code >= 0x1f680 && code <= 0x1f6ff) ||
    (code >= 0x1f900 && code <= 0x1f9ff) ||
    (code >= 0x1fa70 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}
