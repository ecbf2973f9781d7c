import { z } from "zod";
import { AutobuildError, messageOf, show } from "../errors.ts";
import { hasControlCharacter } from "../git/source.ts";
import type { Checkout } from "./checkout.ts";
import { defaultStepTimeoutMs, inSequence, step, type Plan, type PlannedStep } from "./plan.ts";

export const configFile = ".autobuild.json";

const maxTimeoutMs = 24 * 60 * 60_000;
const noNul = /^[^\0]*$/;
// The shell that starts it would take a hyphen for an option of its own.
const programName = /^[^\0-][^\0]*$/;

// Each `error` is the second half of "Expected `field` to be ...".
const oneOrMoreSteps = "an array of 1 to 100 steps";
const stepName = "a text of 1 to 100 characters on one line";
const command = 'a shell line such as "make test", or an array of a program and its arguments';
const program = "a program whose name does not begin with a hyphen (write ./ before it)";
const timeout = `a whole number of milliseconds from 1 to ${maxTimeoutMs}`;
const variableName = "a name of letters, digits and underscores that does not begin with AUTOBUILD";

const stepSchema = z.strictObject(
  {
    name: z
      .string({ error: stepName })
      .min(1, { error: stepName })
      .max(100, { error: stepName })
      .refine((name) => !hasControlCharacter(name), { error: stepName }),
    run: z.union(
      [
        z.string().trim().min(1, { error: command }).regex(noNul, { error: command }),
        z.tuple(
          [z.string().regex(programName, { error: program })],
          z.string().regex(noNul, { error: "an argument without NUL" }),
        ),
      ],
      { error: command },
    ),
    timeoutMs: z
      .int({ error: timeout })
      .min(1, { error: timeout })
      .max(maxTimeoutMs, { error: timeout })
      .optional(),
  },
  { error: "an object with name, run and perhaps timeoutMs" },
);

const configSchema = z.strictObject(
  {
    $schema: z.string({ error: "a text" }).optional(),
    steps: z
      .array(stepSchema, { error: oneOrMoreSteps })
      .min(1, { error: oneOrMoreSteps })
      .max(100, { error: oneOrMoreSteps }),
    env: z
      .record(
        z.string().regex(/^(?!AUTOBUILD)[A-Za-z_][A-Za-z0-9_]*$/, { error: variableName }),
        z.string({ error: "a text" }).regex(noNul, { error: "a text without NUL" }),
        { error: "an object of texts" },
      )
      .optional(),
  },
  { error: "an object with steps and perhaps env" },
);

/**
 * Reads the plan that a checkout's `.autobuild.json` gives; undefined when there is no such file.
 *
 *     {
 *       "steps": [
 *         { "name": "install", "run": ["npm", "ci"] },
 *         { "name": "test", "run": "npm test -- --quick | cat", "timeoutMs": 600000 }
 *       ],
 *       "env": { "TZ": "UTC" }
 *     }
 *
 * A `run` that is a text goes to `/bin/sh -c`; an array runs as it is.
 */
export async function readConfig(checkout: Checkout): Promise<Plan | undefined> {
  if (!(await checkout.hasFile(configFile))) return undefined;
  const text = await checkout.read(configFile);
  if (text === undefined) throw badConfig(`Expected ${configFile} to be at most 1 MiB, got more.`);

  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badConfig(
      `Expected ${configFile} to be JSON, got a file that does not parse: ${messageOf(error)}.`,
    );
  }
  const parsed = configSchema.safeParse(value);
  if (!parsed.success)
    throw badConfig(parsed.error.issues.map((issue) => explain(issue, value)).join("\n"));

  const { steps, env = {} } = parsed.data;
  return inSequence(
    `found ${configFile} with ${steps.length === 1 ? "1 step" : `${steps.length} steps`}`,
    steps.map(({ name, run, timeoutMs = defaultStepTimeoutMs }): PlannedStep => {
      const planned =
        typeof run === "string" ? step(name, "/bin/sh", "-c", run) : step(name, ...run);
      return { ...planned, command: typeof run === "string" ? run : planned.command, timeoutMs };
    }),
    env,
  );
}

function explain(issue: z.core.$ZodIssue, config: unknown): string {
  const field = fieldName(issue.path);
  if (issue.code === "unrecognized_keys") {
    const allowed = issue.path.length === 0 ? "steps and env" : "name, run and timeoutMs";
    return `Expected ${field} to have only ${allowed}, got ${issue.keys.map((key) => show(key)).join(", ")}. Remove it, or correct its name.`;
  }
  if (issue.code === "invalid_key") {
    return `Expected the name of each variable in \`env\` to be ${variableName}, got ${show(issue.path.at(-1))}.`;
  }
  const came = issue.path.reduce<unknown>(
    (value, key) => (isObject(value) ? value[String(key)] : undefined),
    config,
  );
  return `Expected ${field} to be ${issue.message}, got ${show(came)}.`;
}

/** `steps[0].timeoutMs` in the file's own words. */
function fieldName(path: readonly PropertyKey[]): string {
  if (path.length === 0) return configFile;
  const name = path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .slice(1);
  return `\`${name}\` in ${configFile}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function badConfig(message: string): AutobuildError {
  return new AutobuildError("AUTOBUILD_BAD_CONFIG", message);
}
