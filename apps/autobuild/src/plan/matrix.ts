import type { ConfigStep } from "./config-schema.ts";

/** One combination of a matrix: the value of each axis, in the axes' order. Empty for a step without one. */
export type Combination = ReadonlyMap<string, string>;

const maxCombinations = 50;
const maxAxes = 5;
/** Where a value of the matrix goes. */
export const matrixPlace: RegExp = /\$\{matrix\.(\w{1,30})\}/g;
const axisName = /^[A-Za-z_]\w{0,29}$/;

type Matrix = NonNullable<ConfigStep["matrix"]>;

/**
 * The combinations that a matrix stands for; a text that says what is wrong when they are none or too many.
 *
 * All values with all others, without those that an `exclude` fits in all it names, and then each `include`
 * that is not there yet.
 */
export function combinationsOf(matrix: Matrix | undefined): Combination[] | string {
  if (matrix === undefined) return [new Map()];
  const {
    include = [],
    exclude = [],
    ...axes
  } = matrix as {
    include?: Record<string, unknown>[];
    exclude?: Record<string, unknown>[];
    [axis: string]: unknown[] | undefined;
  };
  const names = Object.keys(axes);
  const wrongName = [...names, ...include.flatMap(Object.keys)].find(
    (name) => !axisName.test(name),
  );
  if (wrongName !== undefined)
    return `an object whose axes are names of letters, digits and underscores, got ${JSON.stringify(wrongName.slice(0, 40))}`;
  const most = Math.max(names.length, ...include.map((each) => Object.keys(each).length));
  if (most > maxAxes) return `at most ${maxAxes} axes, got ${most}`;
  // Counted before they are made.
  const product = names.reduce((count, name) => count * (axes[name]?.length ?? 1), 1);
  const tooMany = `at most ${maxCombinations} combinations`;
  if (product > maxCombinations * 4) return `${tooMany}, got ${product}`;

  let combinations: Combination[] = names.length === 0 ? [] : [new Map()];
  for (const name of names) {
    combinations = combinations.flatMap((before) =>
      (axes[name] ?? []).map((value) => new Map([...before, [name, String(value)]])),
    );
  }
  combinations = combinations.filter(
    (combination) => !exclude.some((excluded) => fits(excluded, combination)),
  );
  for (const included of include) {
    const combination = new Map(
      Object.entries(included).map(([name, value]) => [name, String(value)]),
    );
    if (combination.size > 0) combinations.push(combination);
  }
  const unlike = new Map(combinations.map((combination) => [valuesOf(combination), combination]));
  if (unlike.size === 0) return "at least one combination, got none";
  if (unlike.size > maxCombinations) return `${tooMany}, got ${unlike.size}`;
  return [...unlike.values()];
}

/** A step's name with its values behind it: `test (node=26, os=linux)`. */
export function nameWith(name: string, combination: Combination): string {
  return combination.size === 0 ? name : `${name} (${valuesOf(combination)})`;
}

/** Puts values where `${matrix.node}` stands; the second is the first name that has no value. */
export function withValues(text: string, combination: Combination): [string, string | undefined] {
  let missing: string | undefined;
  const filled = text.replaceAll(matrixPlace, (found, name: string) => {
    const value = combination.get(name);
    if (value === undefined) missing ??= name;
    return value ?? found;
  });
  return [filled, missing];
}

function valuesOf(combination: Combination): string {
  return [...combination].map(([name, value]) => `${name}=${value}`).join(", ");
}

function fits(excluded: Record<string, unknown>, combination: Combination): boolean {
  const named = Object.entries(excluded);
  return (
    named.length > 0 && named.every(([name, value]) => combination.get(name) === String(value))
  );
}
