import { z } from "zod";
import { durationPattern, parseDuration } from "../duration.ts";
import { hasControlCharacter } from "../git/source.ts";
import { isTimeTable } from "./cron.ts";
import { isGlob, maxAlternatives, maxGlobLength } from "./glob.ts";
import { matrixPlace } from "./matrix.ts";

// Each `error` is the second half of "Expected `field` to be ...". Each `describe` is a row of the reference.

const maxTimeoutMs = 24 * 60 * 60_000;
export const maxSteps = 100;
const maxVariables = 200;

const noNul = /^[^\0]*$/;
// The shell that starts it would take a hyphen for an option of its own.
const programName = /^[^\0-][^\0]*$/;

const command = 'a shell line such as "make test", or an array of a program and its arguments';
const program = "a program whose name does not begin with a hyphen (write ./ before it)";
const milliseconds = `a whole number of milliseconds from 1 to ${maxTimeoutMs}`;
const durations = `${milliseconds}, or a text such as "90s", "10m" or "1h30m"`;
const variableName = "a name of letters, digits and underscores that does not begin with AUTOBUILD";
const matrixValue =
  "a number, true, false or a text of 1 to 60 letters, digits and . _ : / @ + = -";
const oneOrMoreSteps = `an array of 1 to ${maxSteps} steps`;
const globText = `a glob of 1 to ${maxGlobLength} characters such as "release/*", with at most ${maxAlternatives} alternatives in braces that do not nest`;
const cronText = 'a time table such as "0 3 * * *" (minute, hour, day, month, weekday)';

const line = (what: string, maxLength: number) => {
  const error = `${what} of 1 to ${maxLength} characters on one line`;
  return z
    .string({ error })
    .min(1, { error })
    .max(maxLength, { error })
    .refine((text) => !hasControlCharacter(text), { error });
};

/** One, or a list of up to `most`. */
const oneOrMore = <Item extends z.ZodType>(item: Item, what: string, most: number) =>
  z.union(
    [item, z.array(item, { error: what }).min(1, { error: what }).max(most, { error: what })],
    {
      error: what,
    },
  );

const durationMs = z
  .int({ error: milliseconds })
  .min(1, { error: milliseconds })
  .max(maxTimeoutMs, { error: milliseconds });
const duration = z.union(
  [
    durationMs,
    z
      .string()
      .regex(durationPattern, { error: durations })
      .refine(
        (text) => {
          const read = parseDuration(text) ?? 0;
          return read >= 1 && read <= maxTimeoutMs;
        },
        { error: `${durations}, of at most 24 hours` },
      ),
  ],
  { error: durations },
);

const environment = z
  .record(
    z.string().regex(/^(?!AUTOBUILD)[A-Za-z_][A-Za-z0-9_]*$/, { error: variableName }),
    z.string({ error: "a text (in quotes)" }).regex(noNul, { error: "a text without NUL" }),
    { error: "an object of texts" },
  )
  .refine((variables) => Object.keys(variables).length <= maxVariables, {
    error: `an object of at most ${maxVariables} texts`,
  });

const glob = z
  .string({ error: globText })
  .min(1, { error: globText })
  .max(maxGlobLength + 1, { error: globText })
  .refine((text) => isGlob(text.replace(/^!/, "")) && !hasControlCharacter(text), {
    error: globText,
  });
const globs = oneOrMore(glob, "a glob, or an array of 1 to 50 globs", 50);

export const events = ["push", "tag", "pullRequest", "cron", "manual", "watch"] as const;
const event = z.enum(events, { error: `one of ${events.join(", ")}` });

const whenFields = {
  branch: globs.optional().describe("Branches. A build of a tag is on none."),
  tag: globs.optional().describe("Tags. A build of a branch has none."),
  path: globs
    .optional()
    .describe(
      "Files that the commit changed since the branch's last build; unknown ones count as fitting.",
    ),
  event: oneOrMore(event, `one or more of ${events.join(", ")}`, events.length)
    .optional()
    .describe("What led to the build."),
};
const when = z.strictObject(whenFields, {
  error: `an object with ${list(Object.keys(whenFields))}`,
});

const scalar = z.union(
  [
    z.number({ error: matrixValue }),
    z.boolean({ error: matrixValue }),
    // Nothing that a shell would read as more than a word.
    z.string({ error: matrixValue }).regex(/^[\w.:/@+=-]{1,60}$/, { error: matrixValue }),
  ],
  { error: matrixValue },
);
const axisName = "a name of letters, digits and underscores, at most 30";
const axisKey = z.string().regex(/^[A-Za-z_]\w{0,29}$/, { error: axisName });
const axisValues = "an array of 1 to 20 values";
const combinations = "an array of at most 20 objects with a value for each axis they name";
const combination = z.record(axisKey, scalar, { error: "an object of values" });
const matrix = z
  .object(
    {
      include: z
        .array(combination, { error: combinations })
        .max(20, { error: combinations })
        .optional(),
      exclude: z
        .array(combination, { error: combinations })
        .max(20, { error: combinations })
        .optional(),
    },
    { error: 'an object such as { "node": [24, 26] }' },
  )
  .catchall(
    z
      .array(scalar, { error: axisValues })
      .min(1, { error: axisValues })
      .max(20, { error: axisValues }),
  );

const retryTimes = "a whole number from 0 to 10";
const times = z
  .int({ error: retryTimes })
  .min(0, { error: retryTimes })
  .max(10, { error: retryTimes });
const retryOn = 'an array of "exit", "timeout" or both';
const retry = z.union(
  [
    times,
    z.strictObject({
      times,
      on: z
        .array(z.enum(["exit", "timeout"], { error: '"exit" or "timeout"' }), { error: retryOn })
        .min(1, { error: retryOn })
        .max(2, { error: retryOn })
        .optional(),
    }),
  ],
  {
    error:
      'a number of further attempts from 0 to 10, or an object such as { "times": 2, "on": ["timeout"] }',
  },
);

/** A container image: nothing that its program would take for an option. */
export const imageName: RegExp = /^\w[\w./:@-]{0,254}$/;
const imageText = "the name of a container image such as docker.io/library/node:26";
const secretName = "a name of capital letters, digits and underscores such as NPM_TOKEN";
const filePattern =
  "a glob of files in the workspace such as reports/**/*.xml, of at most 200 characters";
const files = oneOrMore(
  z
    .string({ error: filePattern })
    .max(maxGlobLength, { error: filePattern })
    .refine(isFileGlob, { error: `${filePattern}, without .. and not from / on` }),
  "a glob of files, or an array of 1 to 50 of them",
  50,
);
const oneOrMoreNames = "the name of a step, or an array of up to 100";

const stepFields = {
  name: line("a text", 100).describe("Shown everywhere; other steps need it by this name."),
  run: z
    .union(
      [
        z.string().trim().min(1, { error: command }).regex(noNul, { error: command }),
        z.tuple(
          [z.string().regex(programName, { error: program })],
          z.string({ error: "a text" }).regex(noNul, { error: "an argument without NUL" }),
        ),
      ],
      { error: command },
    )
    .describe(
      "Lines for `/bin/sh -ec`, which end at the first that fails, or a program with its arguments and no shell.",
    ),
  needs: z
    .union([line("the name of a step", 200), z.array(line("the name of a step", 200)).max(100)], {
      error: oneOrMoreNames,
    })
    .optional()
    .describe(
      "Steps that must pass before. The step above it unless said otherwise; `[]` starts at once.",
    ),
  matrix: matrix
    .optional()
    .describe(
      "Makes one step of each combination, 50 at most: `test (node=26)`. `include` adds some, `exclude` removes some. `${matrix.node}` stands for the value in `run`, `env`, `image`, `artifacts` and `reports`; the step gets it as `MATRIX_NODE` too.",
    ),
  env: environment.optional().describe("Variables, on top of those of the build."),
  timeout: duration
    .optional()
    .describe("For each attempt: milliseconds or a text such as `10m`. Half an hour."),
  timeoutMs: durationMs.optional().describe("The same in milliseconds, as older files have it."),
  silenceTimeout: duration
    .optional()
    .describe("The longest time without output, for each attempt. Any unless said."),
  retry: retry
    .optional()
    .describe("Further attempts: a number, or `times` with `on` (`exit`, `timeout`). None."),
  tty: z
    .boolean({ error: "true or false" })
    .optional()
    .describe("Whether its output is a terminal. True."),
  image: z
    .string({ error: imageText })
    .refine((text) => imageName.test(text.replaceAll(matrixPlace, "x")), { error: imageText })
    .optional()
    .describe("A container image to run it in, by the machine's podman or docker."),
  secrets: z
    .array(
      z
        .string({ error: secretName })
        .regex(/^(?!AUTOBUILD)[A-Z][A-Z0-9_]{0,99}$/, { error: secretName }),
      { error: "an array of up to 50 names of secrets" },
    )
    .max(50, { error: "an array of up to 50 names of secrets" })
    .optional()
    .describe("Names of secrets that it gets as variables. None, and none in builds of forks."),
  artifacts: files.optional().describe("Globs of files in the workspace to keep."),
  reports: files.optional().describe("Globs of test reports, JUnit XML or TAP."),
  when: when
    .optional()
    .describe("When the step runs; where it does not, those that need it go on without it."),
};

const schedule = z
  .string({ error: cronText })
  .max(100, { error: cronText })
  .refine((text) => isTimeTable({ schedule: text }), { error: cronText });
const timezoneText = "a time zone such as Europe/Berlin";
const cronEntry = z.union(
  [
    schedule,
    z.strictObject({
      schedule,
      branch: line("the name of a branch", 255).optional(),
      timezone: z
        .string({ error: timezoneText })
        .max(64, { error: timezoneText })
        .refine((timezone) => isTimeTable({ schedule: "0 0 * * *", timezone }), {
          error: timezoneText,
        })
        .optional(),
    }),
  ],
  { error: `${cronText}, or an object with schedule and perhaps branch and timezone` },
);

const configFields = {
  $schema: z
    .string({ error: "a text" })
    .optional()
    .describe("Where the schema of this file is, for editors."),
  steps: z
    .array(z.strictObject(stepFields, { error: "an object with name, run and perhaps more" }), {
      error: oneOrMoreSteps,
    })
    .min(1, { error: oneOrMoreSteps })
    .max(maxSteps, { error: oneOrMoreSteps })
    .describe("What is run."),
  env: environment
    .optional()
    .describe("Variables for all steps. Names that begin with `AUTOBUILD` are taken."),
  timeout: duration.optional().describe("For the whole build, from its checkout on. Two hours."),
  when: when
    .optional()
    .describe(
      "Which commits are built: all of all branches, and no tags, unless said. Asking for a build by hand always builds.",
    ),
  cron: oneOrMore(cronEntry, `${cronText}, or an array of up to 10`, 10)
    .optional()
    .describe(
      "Times at which a branch is built though nothing changed. Read from the default branch.",
    ),
  cancelSuperseded: z
    .boolean({ error: "true or false" })
    .optional()
    .describe(
      "Whether a newer commit cancels older builds of its branch; never on the default branch. True.",
    ),
  buildForks: z
    .boolean({ error: "true or false" })
    .optional()
    .describe(
      "Whether pull requests of forks are built, without secrets. Read from the default branch. False.",
    ),
  submodules: z
    .boolean({ error: "true or false" })
    .optional()
    .describe("Whether submodules are checked out, by https and ssh only. False."),
  lfs: z
    .boolean({ error: "true or false" })
    .optional()
    .describe("Whether files of Git LFS are fetched. False."),
};

/** What a configuration file may hold. */
export const configSchema = z.strictObject(configFields, {
  error: "an object with steps and perhaps more",
});

/** A configuration as it stands in the file, checked field by field. */
export type Config = z.input<typeof configSchema>;
export type ConfigStep = Config["steps"][number];
export type When = z.input<typeof when>;
export type CronEntry = {
  schedule: string;
  branch?: string | undefined;
  timezone?: string | undefined;
};

/** Whether a glob is of files below the workspace, as far as that shows. */
export function isFileGlob(text: string): boolean {
  const isInside = !text.startsWith("/") && !text.split("/").includes("..");
  return isInside && !hasControlCharacter(text) && isGlob(text.replaceAll(matrixPlace, "x"));
}

/** The JSON schema of `.autobuild.json`, `.autobuild.yml` and `autobuild.config.ts`. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, { io: "input" });
  return {
    $schema,
    title: "AutoBuild configuration",
    description:
      "How AutoBuild builds a repository: .autobuild.yml, .autobuild.json or autobuild.config.ts.",
    ...rest,
  };
}

/** The keys that an object of the configuration may have, by the path to it; undefined where any may stand. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] | undefined {
  if (path.length === 0) return Object.keys(configFields);
  if (path.at(-1) === "when") return Object.keys(whenFields);
  if (path[0] === "steps" && path.length === 2) return Object.keys(stepFields);
  if (path.at(-1) === "retry") return ["times", "on"];
  if (path[0] === "cron") return ["schedule", "branch", "timezone"];
  return undefined;
}

function list(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
