import type { SQLOutputValue } from "node:sqlite";

/** What SQLite gives for a row. */
export type Row = Record<string, SQLOutputValue>;

/** The row that there must be. */
export function one(row: Row | undefined): Row {
  if (row === undefined) throw new Error("Expected one row from the store, got none.");
  return row;
}

/** Throws where the column is null: the store is not what its migrations made. */
export function text(row: Row, column: string): string {
  const value = textOrNull(row, column);
  if (value === null) throw new Error(`Expected a text in column ${column}, got null.`);
  return value;
}

export function textOrNull(row: Row, column: string): string | null {
  const value = row[column];
  return value === null || value === undefined ? null : String(value);
}

/** Throws where the column is null: the store is not what its migrations made. */
export function integer(row: Row, column: string): number {
  const value = integerOrNull(row, column);
  if (value === null) throw new Error(`Expected a number in column ${column}, got null.`);
  return value;
}

export function integerOrNull(row: Row, column: string): number | null {
  const value = row[column];
  return value === null || value === undefined ? null : Number(value);
}
