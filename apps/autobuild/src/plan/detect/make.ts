import type { Checkout } from "../checkout.ts";
import { readConfigText } from "../config-text.ts";
import { inSequence, step, type Plan } from "../plan.ts";
import type { Tools } from "../tools.ts";
import type { Detector } from "./detector.ts";

/** A file of named tasks, and the program that runs them. */
interface TaskFile {
  /** In the order in which the program looks for them. */
  readonly names: readonly string[];
  readonly program: string;
  readonly hasTask: (text: string, task: string) => boolean;
}

const taskFiles: readonly TaskFile[] = [
  { names: ["GNUmakefile", "makefile", "Makefile"], program: "make", hasTask: hasTarget },
  { names: ["justfile", "Justfile", ".justfile"], program: "just", hasTask: hasRecipe },
  {
    names: ["Taskfile.yml", "taskfile.yml", "Taskfile.yaml", "taskfile.yaml"],
    program: "task",
    hasTask: hasTaskKey,
  },
];

/** A target `ci` is there for this, whatever else lies in the repository. */
export const ciTask = {
  files: ["Makefile", "justfile", "Taskfile.yml"],
  detect: (checkout, tools) => findTask("ci", checkout, tools),
} satisfies Detector;

/** A target `test`. It may expect what a package manager installs, so those are asked first. */
export const testTask = {
  files: ciTask.files,
  detect: (checkout, tools) => findTask("test", checkout, tools),
} satisfies Detector;

/** A Makefile with neither: its default target. It may only wrap something else, so it comes last. */
export const makeDefault = {
  files: ["Makefile"],
  async detect(checkout) {
    const name = await checkout.firstFile(...(taskFiles[0]?.names ?? []));
    if (name === undefined) return undefined;
    return inSequence(`found ${name} with no target ci or test: its default target`, [
      step("make", "make"),
    ]);
  },
} satisfies Detector;

async function findTask(task: string, checkout: Checkout, tools: Tools): Promise<Plan | undefined> {
  for (const { names, program, hasTask } of taskFiles) {
    const name = await checkout.firstFile(...names);
    const text = name === undefined ? undefined : await checkout.read(name);
    if (name === undefined || text === undefined || !hasTask(text, task)) continue;
    // Make is everywhere; where one of the others is missing, the next way may do.
    if (program !== "make" && !(await tools.hasProgram(program))) continue;
    return inSequence(`found ${name} with a target ${task}`, [step(task, program, task)]);
  }
  return undefined;
}

// `test:`, `test::`, `ci test: deps`, but not `test := value`.
function hasTarget(text: string, target: string): boolean {
  return text.split("\n").some((line) => {
    const rule = /^([^\s#:=][^#:=]*?)\s*::?(?!=)/.exec(line);
    return rule?.[1]?.split(/\s+/).includes(target) ?? false;
  });
}

// `test:`, `@test arg="x": build`, but not `test := value`.
function hasRecipe(text: string, recipe: string): boolean {
  return text.split("\n").some((line) => /^@?([\w-]+)[^:]*:(?!=)/.exec(line)?.[1] === recipe);
}

function hasTaskKey(text: string, task: string): boolean {
  try {
    const { value } = readConfigText("Taskfile.yml", text);
    const tasks = (value as { tasks?: unknown } | null)?.tasks;
    return typeof tasks === "object" && tasks !== null && Object.hasOwn(tasks, task);
  } catch {
    return false;
  }
}
