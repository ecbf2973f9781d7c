import { OptionError } from "../errors.ts";
import { didYouMean } from "./nearest.ts";
import { describe } from "./value.ts";

/** Defaults with the given values over them. Each must be a positive whole number. */
export function checkedLimits<Limits extends object>(
  option: string,
  defaults: Limits,
  given: unknown,
): Limits {
  if (given !== undefined && (typeof given !== "object" || given === null || Array.isArray(given)))
    throw new OptionError(
      `Expected \`${option}\` to be an object of limits by name, got ${describe(given)}.`,
    );
  const merged = { ...defaults } as Record<string, number>;
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(defaults, name)) {
      throw new OptionError(
        `Expected the keys of \`${option}\` to be among ${Object.keys(defaults).join(", ")}, got \`${name}\`.${didYouMean(name, Object.keys(defaults))}`,
      );
    }
    if (value === undefined) continue;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
      throw new OptionError(
        `Expected \`${option}.${name}\` to be an integer of at least 1, got ${describe(value)}.`,
      );
    }
    merged[name] = value;
  }
  return Object.freeze(merged) as unknown as Limits;
}
