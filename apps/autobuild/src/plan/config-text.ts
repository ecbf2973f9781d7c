import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Document,
} from "yaml";
import { AutobuildError, messageOf } from "../errors.ts";
import { plainText } from "../plain-text.ts";

/** A place in a configuration file, from 1 on. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** How many characters it spans on its line, at least one. */
  readonly width: number;
}

/** A configuration file that has been read: its value, and where each part of it stands. */
export interface ConfigText {
  readonly file: string;
  readonly text: string;
  readonly value: unknown;
  /** Where the value at that path stands, or the nearest part around it that does; `key` asks for a key in it. */
  placeOf(path: readonly PropertyKey[], key?: string): Place | undefined;
}

/** Larger files take too long to read node by node. */
const maxYamlBytes = 128 * 1024;
const maxAliases = 100;

/**
 * Reads YAML (or JSON, with `json`) into a value with places.
 *
 * Throws `AUTOBUILD_BAD_CONFIG` with line, column and the lines around for a text that does not parse, a
 * repeated key, more than one document, and aliases that stand for more than they should.
 */
export function readConfigText(file: string, text: string, json = false): ConfigText {
  // Places in a large JSON file are not worth the time; its errors name the field.
  if (json && text.length > maxYamlBytes)
    return { file, text, value: parseJson(file, text), placeOf: () => undefined };
  if (text.length > maxYamlBytes)
    throw badConfig(`Expected ${file} to be at most ${maxYamlBytes / 1024} KiB, got more.`);

  // The library's own check of keys compares each with each: a second for 10,000 of them.
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    uniqueKeys: false,
    prettyErrors: false,
    strict: true,
  });
  const placeAt = (from: number, to: number): Place => {
    const { line, col } = lines.linePos(from);
    const lineEnd = text.indexOf("\n", from);
    const end = Math.min(to, lineEnd === -1 ? text.length : lineEnd);
    return { line, column: col, width: Math.max(1, end - from) };
  };

  const value = json ? parseJson(file, text) : valueOf(file, text, document, placeAt);
  const repeated = findRepeatedKey(document);
  if (repeated !== undefined) {
    const [from = 0, to = 0] = repeated.range ?? [];
    const place = placeAt(from, to);
    throw badConfig(
      sayAt(
        file,
        text,
        place,
        `Expected each key once, got "${String(repeated.value)}" a second time. Remove one.`,
      ),
    );
  }
  return {
    file,
    text,
    value,
    placeOf(path, key) {
      for (let length = path.length; length >= 0; length--) {
        const around: unknown = document.getIn(path.slice(0, length), true);
        const node = isAlias(around)
          ? around
          : length === path.length
            ? (keyIn(around, key) ?? around)
            : around;
        if (isNode(node) && node.range) return placeAt(node.range[0], node.range[1]);
      }
      return undefined;
    },
  };
}

/** A message at a place: `file:line:column: message`, and the lines around it with a mark under the place. */
export function sayAt(
  file: string,
  text: string,
  place: Place | undefined,
  message: string,
): string {
  if (place === undefined) return `${file}: ${message}`;
  return `${file}:${place.line}:${place.column}: ${message}\n${codeFrame(text, place)}`;
}

export function badConfig(message: string): AutobuildError {
  return new AutobuildError("AUTOBUILD_BAD_CONFIG", message);
}

const linesAround = 2;
const maxShownColumns = 100;

function codeFrame(text: string, { line, column, width }: Place): string {
  const lines = text.split("\n");
  const first = Math.max(1, line - linesAround);
  const last = Math.min(lines.length, line + 1);
  const margin = String(last).length;
  // A long line is shown from somewhat before the place on.
  const from = column > maxShownColumns - 20 ? column - 40 : 0;
  const frame: string[] = [];
  for (let number = first; number <= last; number++) {
    const shown = plainText(
      (lines[number - 1] ?? "").replace(/\r$/, "").slice(from, from + maxShownColumns),
    );
    frame.push(
      `${number === line ? ">" : " "} ${String(number).padStart(margin)} | ${shown}`.trimEnd(),
    );
    if (number !== line) continue;
    const marks = Math.max(1, Math.min(width, maxShownColumns - (column - from)));
    frame.push(`  ${" ".repeat(margin)} | ${" ".repeat(column - 1 - from)}${"^".repeat(marks)}`);
  }
  return frame.join("\n");
}

function valueOf(
  file: string,
  text: string,
  document: Document.Parsed,
  placeAt: (from: number, to: number) => Place,
): unknown {
  const [error] = document.errors;
  if (error !== undefined) {
    const said =
      error.code === "RESOURCE_EXHAUSTION"
        ? "brackets and lists that are not nested by the hundred"
        : error.code === "MULTIPLE_DOCS"
          ? "one document, got a second one after ---"
          : `YAML, got a file that does not parse: ${error.message}`;
    throw badConfig(sayAt(file, text, placeAt(...error.pos), `Expected ${said}.`));
  }
  try {
    return document.toJS({ maxAliasCount: maxAliases });
  } catch (error) {
    throw badConfig(
      `Expected ${file} to use an anchor (&) at most ${maxAliases} times, got aliases (*) that multiply: ${messageOf(error)}. Write the value out where it is needed.`,
    );
  }
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const said = messageOf(error);
    const offset = Number(/at position (\d+)/.exec(said)?.[1] ?? text.length);
    const before = text.slice(0, offset).split("\n");
    const place = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, width: 1 };
    const why = said.replace(/ in JSON at position .*$/s, "").replace(/, "[^]*$/, "");
    throw badConfig(
      sayAt(file, text, place, `Expected JSON, got a file that does not parse: ${plainText(why)}.`),
    );
  }
}

function findRepeatedKey(document: Document.Parsed) {
  let repeated: { range?: readonly number[] | null | undefined; value: unknown } | undefined;
  visit(document, {
    Map(_key, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === "<<") continue;
        const name = String(key.value);
        if (seen.has(name)) {
          repeated = key;
          return visit.BREAK;
        }
        seen.add(name);
      }
      return undefined;
    },
  });
  return repeated;
}

function keyIn(node: unknown, key: string | undefined): unknown {
  if (key === undefined || !isMap(node)) return undefined;
  return node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key)?.key;
}
