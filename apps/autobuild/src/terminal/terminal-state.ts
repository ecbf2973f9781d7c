import type { RowData } from "./row.ts";
import { plainStyle, restyled, type Style } from "./style.ts";

/** What a terminal must know to go on at some byte as if it had read all before it. Plain JSON. */
export interface TerminalState {
  /** `[foreground, background, flags, link]`; absent: plain. */
  readonly style?: StyleData;
  readonly saved?: { readonly row: number; readonly column: number; readonly style: StyleData };
  /** Its rows and its cursor, where it does not begin at the start of a new line. */
  readonly screen?: {
    readonly rows: readonly RowData[];
    readonly row: number;
    readonly column: number;
  };
}

export type StyleData = readonly [number, number, number, string];

export function dataOf({ foreground, background, flags, link }: Style): StyleData {
  return [foreground, background, flags, link];
}

export function styleOf([foreground, background, flags, link]: StyleData): Style {
  return restyled(plainStyle, { foreground, background, flags, link });
}
