import { parseDuration } from "../duration.ts";
import { show } from "../errors.ts";
import { didYouMean, fieldName, refuseAt } from "./config-check.ts";
import { imageName, isFileGlob, maxSteps, type Config, type ConfigStep } from "./config-schema.ts";
import type { ConfigText } from "./config-text.ts";
import { combinationsOf, nameWith, withValues, type Combination } from "./matrix.ts";
import {
  defaultBuildTimeoutMs,
  step as plainStep,
  stepDefaults,
  type Plan,
  type PlannedStep,
  type Retry,
} from "./plan.ts";
import { asList, fitsWhen, type BuildContext } from "./when.ts";

/** A step of the file: what it is called, and what becomes of it. */
interface Entry {
  readonly index: number;
  readonly step: ConfigStep;
  /** Names in the file need not differ; among the planned ones they do. */
  readonly name: string;
  readonly combinations: readonly Combination[];
  readonly needs: readonly Need[];
  /** Whether it runs in this build. */
  readonly isIn: boolean;
}

/** All variants of an entry, or one of them by its name. */
interface Need {
  readonly index: number;
  readonly variant?: string;
}

/**
 * Makes a plan of a checked configuration: writes out matrices, resolves `needs`, leaves out what `when` rules out.
 *
 * Throws `AUTOBUILD_BAD_CONFIG` for a need that nothing satisfies, a circle of needs, too many steps.
 */
export function planOf(config: Config, source: ConfigText, context: BuildContext): Plan {
  const entries = entriesOf(config, source, context);
  refuseCircles(entries, source);
  const count = entries.reduce((sum, { combinations }) => sum + combinations.length, 0);
  if (count > maxSteps)
    refuseAt(
      source,
      ["steps"],
      `Expected at most ${maxSteps} steps with their matrices written out, got ${count}.`,
    );

  const steps = entries
    .filter(({ isIn }) => isIn)
    .flatMap((entry) => {
      const needs = [...new Set(neededNames(entry, entries))];
      return entry.combinations.map((combination) =>
        plannedStep(entry, combination, needs, source),
      );
    });
  if (steps.length === 0)
    refuseAt(
      source,
      ["steps"],
      "Expected at least one step whose `when` fits this build, got none. Give one no `when`.",
    );
  const repeated = steps.find(
    ({ name }, at) => steps.findIndex((step) => step.name === name) !== at,
  );
  if (repeated !== undefined)
    refuseAt(
      source,
      ["steps"],
      `Expected steps of different names, got two called ${JSON.stringify(repeated.name)}.`,
    );
  const left = entries.filter(({ isIn }) => !isIn).map(({ name }) => name);
  const { submodules = false, lfs = false } = config;
  const counted = steps.length === 1 ? "1 step" : `${steps.length} steps`;
  return {
    reason: `found ${source.file} with ${counted}${left.length === 0 ? "" : `; not for this build: ${left.join(", ")}`}`,
    steps: inOrder(steps),
    environment: config.env ?? {},
    timeoutMs: readDuration(config.timeout) ?? defaultBuildTimeoutMs,
    ...((submodules || lfs) && { checkout: { submodules, lfs } }),
  };
}

function entriesOf(config: Config, source: ConfigText, context: BuildContext): Entry[] {
  const names = uniqueNames(config.steps.map(({ name }) => name));
  const combinations = config.steps.map(({ matrix }, index) => {
    const found = combinationsOf(matrix);
    if (typeof found !== "string") return found;
    const path = ["steps", index, "matrix"];
    return refuseAt(source, path, `Expected ${fieldName(path)} to be ${found}.`);
  });

  const named = new Map<string, Need[]>();
  const add = (name: string, need: Need): void => {
    named.set(name, [...(named.get(name) ?? []), need]);
  };
  for (const [index, { name }] of config.steps.entries()) {
    add(name, { index });
    for (const combination of combinations[index] ?? [])
      if (combination.size > 0) {
        const variant = nameWith(names[index] ?? name, combination);
        add(variant, { index, variant });
      }
  }
  return config.steps.map((step, index) => ({
    index,
    step,
    name: names[index] ?? step.name,
    combinations: combinations[index] ?? [],
    needs: needsOf(step, index, named, source),
    isIn: fitsWhen(step.when, context),
  }));
}

function needsOf(
  { needs }: ConfigStep,
  index: number,
  named: ReadonlyMap<string, readonly Need[]>,
  source: ConfigText,
): readonly Need[] {
  if (needs === undefined) return index === 0 ? [] : [{ index: index - 1 }];
  return asList(needs).map((needed, place) => {
    const path = ["steps", index, "needs", ...(Array.isArray(needs) ? [place] : [])];
    const [only, another] = named.get(needed) ?? [];
    const shown = JSON.stringify(needed);
    if (only === undefined)
      return refuseAt(
        source,
        path,
        `Expected ${fieldName(path)} to be the name of a step, got ${shown}. ${didYouMean(needed, [...named.keys()])}`,
      );
    if (another !== undefined)
      return refuseAt(
        source,
        path,
        `Expected one step called ${shown}, got several. Give them different names.`,
      );
    return only;
  });
}

/** Depth-first, without recursion: `needs` may form a chain of a hundred. Says the circle, from its first step round to it. */
function refuseCircles(entries: readonly Entry[], source: ConfigText): void {
  const settled = new Set<number>();
  for (const { index: start } of entries) {
    const way: { index: number; next: number }[] = [{ index: start, next: 0 }];
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      const needed = entries[top.index]?.needs[top.next++]?.index;
      if (needed === undefined || settled.has(top.index)) {
        settled.add(top.index);
        way.pop();
        continue;
      }
      const begin = way.findIndex(({ index }) => index === needed);
      if (begin === -1) {
        way.push({ index: needed, next: 0 });
        continue;
      }
      const circle = [...way.slice(begin).map(({ index }) => index), needed];
      const said = circle.map((index) => JSON.stringify(entries[index]?.name)).join(" needs ");
      refuseAt(
        source,
        ["steps", top.index, "needs"],
        `Expected steps that can be put in an order, got a circle: ${said}. Remove one of these needs.`,
      );
    }
  }
}

/** The planned names that an entry waits for. An entry that is left out hands on what it needs itself. */
function neededNames(
  entry: Entry,
  entries: readonly Entry[],
  seen: Set<number> = new Set(),
): string[] {
  return entry.needs.flatMap(({ index, variant }) => {
    const needed = entries[index];
    if (needed === undefined) return [];
    if (needed.isIn)
      return needed.combinations
        .map((combination) => nameWith(needed.name, combination))
        .filter((name) => variant === undefined || name === variant);
    if (seen.has(index)) return [];
    seen.add(index);
    return neededNames(needed, entries, seen);
  });
}

function plannedStep(
  { step, name, index }: Entry,
  combination: Combination,
  needs: readonly string[],
  source: ConfigText,
): PlannedStep {
  const fill = (text: string): string => {
    const [filled, missing] = withValues(text, combination);
    if (missing === undefined) return filled;
    const axes = [...combination.keys()];
    return refuseAt(
      source,
      ["steps", index],
      `Expected \${matrix.${missing}} to name an axis of the step's matrix${axes.length === 0 ? "" : ` (${axes.join(", ")})`}, got none of that name. ${didYouMean(missing, axes)}`,
    );
  };
  if (step.timeout !== undefined && step.timeoutMs !== undefined)
    refuseAt(
      source,
      ["steps", index, "timeoutMs"],
      "Expected `timeout` or `timeoutMs`, got both. Remove `timeoutMs`.",
    );

  // What a value makes of a field must hold up as well as the field did.
  const fillAs = (field: string, text: string, isGood: (filled: string) => boolean): string => {
    const filled = fill(text);
    if (filled === text || isGood(filled)) return filled;
    const path = ["steps", index, field];
    return refuseAt(
      source,
      path,
      `Expected ${fieldName(path)} to stay what it may be with the values of the matrix, got ${show(filled)}. Change the values.`,
    );
  };
  const { run } = step;
  const isProgram = (filled: string): boolean => !filled.startsWith("-");
  const planned =
    typeof run === "string"
      ? { ...plainStep(name, "/bin/sh", "-ec", fill(run)), command: fill(run) }
      : plainStep(name, fillAs("run", run[0], isProgram), ...run.slice(1).map(fill));
  const matrixVariables = [...combination].map(([axis, value]) => [
    `MATRIX_${axis.toUpperCase()}`,
    value,
  ]);
  const variables = Object.entries(step.env ?? {}).map(([variable, value]) => [
    variable,
    fill(value),
  ]);
  return {
    ...planned,
    name: nameWith(name, combination),
    needs,
    environment: Object.fromEntries([...matrixVariables, ...variables]),
    timeoutMs: readDuration(step.timeout ?? step.timeoutMs) ?? stepDefaults.timeoutMs,
    silenceTimeoutMs: readDuration(step.silenceTimeout) ?? stepDefaults.silenceTimeoutMs,
    retry: readRetry(step.retry),
    tty: step.tty ?? stepDefaults.tty,
    image:
      step.image === undefined
        ? stepDefaults.image
        : fillAs("image", step.image, (filled) => imageName.test(filled)),
    secrets: step.secrets ?? stepDefaults.secrets,
    artifacts: asList(step.artifacts ?? []).map((glob) => fillAs("artifacts", glob, isFileGlob)),
    reports: asList(step.reports ?? []).map((glob) => fillAs("reports", glob, isFileGlob)),
  };
}

/** Each after those that it needs, and otherwise as they stand in the file. */
function inOrder(steps: readonly PlannedStep[]): PlannedStep[] {
  const ordered: PlannedStep[] = [];
  const placed = new Set<string>();
  let waiting = [...steps];
  while (waiting.length > 0) {
    const ready = waiting.find(({ needs }) => needs.every((need) => placed.has(need)));
    if (ready === undefined) throw new Error("Circles have been refused.");
    ordered.push(ready);
    placed.add(ready.name);
    waiting = waiting.filter((step) => step !== ready);
  }
  return ordered;
}

function readDuration(duration: number | string | undefined): number | undefined {
  return typeof duration === "string" ? parseDuration(duration) : duration;
}

function readRetry(retry: ConfigStep["retry"]): Retry {
  if (retry === undefined) return stepDefaults.retry;
  if (typeof retry === "number") return { ...stepDefaults.retry, times: retry };
  return { times: retry.times, on: [...new Set(retry.on ?? stepDefaults.retry.on)] };
}

/** `a`, `a (2)`, `a (3)`: older files may repeat a name. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let unlike = name;
    for (let number = 2; seen.has(unlike) || (unlike !== name && taken.has(unlike)); number++)
      unlike = `${name} (${number})`;
    seen.add(unlike);
    return unlike;
  });
}
