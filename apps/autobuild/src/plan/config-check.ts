import type { z } from "zod";
import { show } from "../errors.ts";
import { nearestName } from "../nearest-name.ts";
import { configSchema, keysAt, type Config } from "./config-schema.ts";
import { badConfig, sayAt, type ConfigText } from "./config-text.ts";

const maxShownErrors = 5;
/** More fields than these are not listed where the one that was meant can be named. */
const maxListedKeys = 6;

/** Checks a configuration against the schema. Throws `AUTOBUILD_BAD_CONFIG` that tells up to five faults with their places. */
export function checkConfig(source: ConfigText): Config {
  const parsed = configSchema.safeParse(source.value);
  if (parsed.success) return parsed.data;
  // Only what is shown is put into words: there may be thousands.
  const faults = apart(parsed.error.issues).flatMap((issue) => faultsOf(issue, source));
  const more = faults.length - maxShownErrors;
  throw badConfig(
    faults
      .slice(0, maxShownErrors)
      .map((say) => say())
      .join("\n\n") + (more > 0 ? `\n\nAnd ${more} more like these.` : ""),
  );
}

/** One of what is told of the same place, and not that a field is missing beside the same one mistyped. */
function apart(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const told = new Set<string>();
  for (const issue of issues)
    if (issue.code === "unrecognized_keys")
      for (const key of issue.keys) {
        const meant = nearestName(key, keysAt(issue.path) ?? []);
        if (meant !== undefined) told.add(JSON.stringify([...issue.path, meant]));
      }
  return issues.filter((issue) => {
    if (issue.code === "unrecognized_keys") return true;
    const place = JSON.stringify(issue.path);
    if (told.has(place)) return false;
    told.add(place);
    return true;
  });
}

/** Throws `AUTOBUILD_BAD_CONFIG` about one part of a configuration. */
export function refuseAt(source: ConfigText, path: readonly PropertyKey[], message: string): never {
  throw badConfig(sayAt(source.file, source.text, source.placeOf(path), message));
}

function faultsOf(issue: z.core.$ZodIssue, source: ConfigText): (() => string)[] {
  const { path } = issue;
  const at = (message: string, key?: string): string =>
    sayAt(source.file, source.text, source.placeOf(path, key), message);
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(path) ?? [];
    return issue.keys.map((key) => () => {
      const advice = didYouMean(key, known);
      const isLong = known.length > maxListedKeys && advice.startsWith("Did");
      return at(
        `Expected ${fieldName(path)} to have only ${isLong ? "fields that there are" : listed(known)}, got ${show(key)}. ${advice}`,
        key,
      );
    });
  }
  if (issue.code === "invalid_key") {
    const [expected] = issue.issues;
    const around = fieldName(path.slice(0, -1));
    return [
      () =>
        at(`Expected each name in ${around} to be ${expected?.message}, got ${show(path.at(-1))}.`),
    ];
  }
  return [
    () => {
      const came = path.reduce<unknown>(
        (value, key) => (isObject(value) ? value[String(key)] : undefined),
        source.value,
      );
      return at(`Expected ${fieldName(path)} to be ${issue.message}, got ${show(came)}.`);
    },
  ];
}

/** `steps[0].timeout` in the file's own words. */
export function fieldName(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "the configuration";
  const name = path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
  return `\`${name}\``;
}

/** What to do about a name that is not one of those there are. */
export function didYouMean(name: string, allowed: readonly string[]): string {
  const nearest = nearestName(name, allowed);
  return nearest === undefined
    ? "Remove it, or correct its name."
    : `Did you mean ${JSON.stringify(nearest)}?`;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
