import { cellWidth } from "../../src/terminal/cell-width.ts";
import { plainStyle, type Style } from "../../src/terminal/style.ts";

interface Character {
  readonly text: string;
  readonly style: Style;
}

/**
 * What a row is, as plainly as it can be said: characters one behind the other, in which a cell is
 * counted for. Each change costs as much as the row is long.
 */
export class SlowRow {
  #characters: readonly Character[] = [];

  get text(): string {
    return this.#characters.map(({ text }) => text).join("");
  }

  get width(): number {
    return this.#characters.reduce((sum, character) => sum + widthOf(character), 0);
  }

  get runs(): { end: number; style: Style }[] {
    const runs: { end: number; style: Style }[] = [];
    let end = 0;
    for (const { text, style } of this.#characters) {
      end += text.length;
      if (runs.at(-1)?.style === style) runs.pop();
      runs.push({ end, style });
    }
    return runs.every(({ style }) => style === plainStyle) ? [] : runs;
  }

  put(column: number, text: string, style: Style): number {
    const put = charactersOf(text, style);
    const end = column + put.reduce((sum, character) => sum + widthOf(character), 0);
    const blanks = charactersOf(" ".repeat(Math.max(0, column - this.width)), plainStyle);
    const head = [...this.#before(column), ...blanks];
    this.#characters = [...head, ...put, ...(end < this.width ? this.#from(end) : [])];
    return end;
  }

  erase(from: number, to: number): void {
    if (from >= this.width) return;
    if (to < this.width) this.put(from, " ".repeat(to - from), plainStyle);
    else this.#characters = this.#before(from);
  }

  /** What covers the cells before `column`. Half of a wide character is a blank. */
  #before(column: number): Character[] {
    const kept: Character[] = [];
    let cell = 0;
    for (const character of this.#characters) {
      const width = widthOf(character);
      if (cell + width > column)
        return [...kept, ...charactersOf(" ".repeat(Math.max(0, column - cell)), plainStyle)];
      kept.push(character);
      cell += width;
    }
    return kept;
  }

  /** What covers the cells from `column` on. */
  #from(column: number): Character[] {
    let cell = 0;
    for (const [index, character] of this.#characters.entries()) {
      const width = widthOf(character);
      if (cell + width > column) {
        if (cell >= column) return this.#characters.slice(index);
        return [
          ...charactersOf(" ".repeat(cell + width - column), plainStyle),
          ...this.#characters.slice(index + 1),
        ];
      }
      cell += width;
    }
    return [];
  }
}

function charactersOf(text: string, style: Style): Character[] {
  return Array.from(text, (character) => ({ text: character, style }));
}

function widthOf({ text }: Character): number {
  return cellWidth(text.codePointAt(0) ?? 0);
}
