export const maxGlobLength = 200;
/** How many patterns one may stand for when its braces are written out. */
export const maxAlternatives = 32;

// The wildcards, for branches, tags and paths with `/` between their parts:
//
//     *      any characters but /             feature/*   fits feature/x, not feature/x/y
//     **     any characters                   feature/**  fits both
//     **/    any folders, also none           **/*.md     fits README.md and docs/a/b.md
//     ?      one character but /
//     {a,b}  one of these                     {main,release/*}
//
// All other characters mean themselves; a leading dot is not special.

/**
 * Whether a glob fits a whole text.
 *
 * Takes at most pattern length x text length steps: patterns come from whoever pushes, and matchers that
 * make a regular expression of them backtrack for minutes on ten stars (ADR 0023).
 */
export function matchesGlob(pattern: string, text: string): boolean {
  return isGlob(pattern) && expandBraces(pattern).some((each) => matches(tokensOf(each), text));
}

/** Whether the patterns of a list fit: one without `!` in front does, and none with it. */
export function matchesGlobs(patterns: readonly string[], text: string): boolean {
  const without = patterns.filter((pattern) => pattern.startsWith("!"));
  const wanted = patterns.filter((pattern) => !pattern.startsWith("!"));
  return (
    (wanted.length === 0 || wanted.some((pattern) => matchesGlob(pattern, text))) &&
    !without.some((pattern) => matchesGlob(pattern.slice(1), text))
  );
}

/** Whether a pattern is within the bounds, and its braces are closed and not nested. */
export function isGlob(pattern: string): boolean {
  if (pattern.length === 0 || pattern.length > maxGlobLength) return false;
  let alternatives = 1;
  for (const [group] of pattern.matchAll(braces)) alternatives *= group.split(",").length;
  return alternatives <= maxAlternatives && !/[{}]/.test(pattern.replace(braces, ""));
}

const braces = /\{[^{}]*\}/g;

function expandBraces(pattern: string): string[] {
  let expanded = [""];
  let from = 0;
  for (const found of pattern.matchAll(braces)) {
    const before = pattern.slice(from, found.index);
    const alternatives = found[0].slice(1, -1).split(",");
    expanded = expanded.flatMap((start) => alternatives.map((each) => start + before + each));
    from = found.index + found[0].length;
  }
  return expanded.map((start) => start + pattern.slice(from));
}

/** `skip` may pass over itself and the token behind it; `folders` eats characters until a slash. */
type Token = "star" | "globstar" | "skip" | "folders" | "one" | { readonly character: string };

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    const [character = "", second, third] = characters.slice(at, at + 3);
    const isAtStart = at === 0 || characters[at - 1] === "/";
    if (character === "?") tokens.push("one");
    else if (character !== "*") tokens.push({ character });
    else if (second !== "*") tokens.push("star");
    else if (isAtStart && third === "/") {
      tokens.push("skip", "folders");
      at += 2;
    } else {
      tokens.push("globstar");
      at++;
    }
  }
  return tokens;
}

/** Walks all ways at once: `reached[i]` says that the first `i` tokens can stand for the text so far. */
function matches(tokens: readonly Token[], text: string): boolean {
  let reached = new Uint8Array(tokens.length + 2);
  reached[0] = 1;
  passOver(tokens, reached);
  for (const character of text) {
    const next = new Uint8Array(tokens.length + 2);
    for (const [index, token] of tokens.entries()) {
      if (reached[index] === 0) continue;
      const isSlash = character === "/";
      if (token === "globstar" || token === "folders" || (token === "star" && !isSlash))
        next[index] = 1;
      const isOver =
        token === "folders"
          ? isSlash
          : token === "one"
            ? !isSlash
            : typeof token === "object" && token.character === character;
      if (isOver) next[index + 1] = 1;
    }
    passOver(tokens, next);
    reached = next;
  }
  return reached[tokens.length] === 1;
}

/** Marks what is reached without a character. */
function passOver(tokens: readonly Token[], reached: Uint8Array): void {
  for (const [index, token] of tokens.entries()) {
    if (reached[index] === 0) continue;
    if (token === "star" || token === "globstar" || token === "skip") reached[index + 1] = 1;
    if (token === "skip") reached[index + 2] = 1;
  }
}
