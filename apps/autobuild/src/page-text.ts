import { parse, type Comment, type Token } from "acorn";

/** Where a module names another one: the place of the string, with its quotes. */
export interface Specifier {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  /** `import("x")`: it is not needed before the module runs. */
  readonly isDynamic: boolean;
}

/**
 * Leaves out comments and what indents: about a quarter of the bytes, compressed.
 *
 * By tokens, so that what looks like a comment in a text stays, and texts over several lines stay as they are.
 */
export function compactScript(code: string): string {
  const comments: Comment[] = [];
  const tokens: Token[] = [];
  parse(code, {
    ecmaVersion: "latest",
    sourceType: "module",
    onComment: comments,
    onToken: tokens,
  });
  const kept = tokens.filter(
    ({ type, start, end }) =>
      (type.label === "template" || type.label === "string") &&
      code.slice(start, end).includes("\n"),
  );
  const places = [
    ...comments.map(({ start, end }) => ({ start, end, isComment: true })),
    ...kept.map(({ start, end }) => ({ start, end, isComment: false })),
  ].toSorted((left, right) => left.start - right.start);

  // A run of code between two texts that are kept. A space at either end of it separates no words.
  let run = "";
  let compact = "";
  let at = 0;
  for (const { start, end, isComment } of places) {
    run += code.slice(at, start);
    const text = code.slice(start, end);
    if (isComment) run += text.includes("\n") ? "\n" : " ";
    else {
      compact += withoutIndent(run) + text;
      run = "";
    }
    at = end;
  }
  return compact + withoutIndent(run + code.slice(at));
}

/** Leaves out what indents, and comments that have lines of their own. */
export function compactStyle(css: string): string {
  return withoutIndent(css.replace(/^[ \t]*\/\*[\s\S]*?\*\/[ \t]*$/gm, ""));
}

/** The modules that a module names, in their order. */
export function specifiersOf(code: string): Specifier[] {
  const tokens: Token[] = [];
  const { body } = parse(code, { ecmaVersion: "latest", sourceType: "module", onToken: tokens });
  const fixed = body.flatMap((node) => {
    const source = "source" in node ? node.source : null;
    if (source == null || typeof source.value !== "string") return [];
    return [{ start: source.start, end: source.end, name: source.value, isDynamic: false }];
  });
  const dynamic = tokens.flatMap(({ type }, index) => {
    const [open, name] = [tokens[index + 1], tokens[index + 2]];
    if (type.label !== "import" || open?.type.label !== "(" || name?.type.label !== "string")
      return [];
    const { start, end } = name;
    return [{ start, end, name: JSON.parse(code.slice(start, end)) as string, isDynamic: true }];
  });
  return [...fixed, ...dynamic].toSorted((left, right) => left.start - right.start);
}

function withoutIndent(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/gm, "").replace(/\n{2,}/g, "\n");
}
