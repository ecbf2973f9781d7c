import { z } from "zod";
import type { BuildDetails } from "../build/build-details.ts";
import type { Build } from "../build/build.ts";
import type { Queue } from "../build/overview.ts";
import type { Repository } from "../build/repository.ts";
import { eventNames } from "../plan/when.ts";
import { forges } from "../triggers/delivery.ts";

// What the API gives. The types hold these to what the code has; tests hold every answer to them.

const ms = z.int().describe("Milliseconds since 1970, UTC");
const lengthMs = z.number().describe("Milliseconds");
const stepState = z.enum(["waiting", "running", "passed", "failed", "cancelled", "skipped"]);

const attemptSchema = z
  .object({
    attempt: z.int().min(1),
    state: stepState,
    reason: z.string().nullable(),
    startedMs: ms,
    durationMs: lengthMs.nullable(),
    logBytes: z.int().nullable().describe("Of its log; null while it grows"),
    sha256: z.string().nullable().describe("Of its whole log; null while it grows"),
  })
  .meta({ id: "Attempt" });

const stepSchema = z
  .object({
    position: z.int().min(0),
    name: z.string(),
    command: z.string().describe("As a person would type it"),
    state: stepState,
    reason: z.string().nullable(),
    startedMs: ms.nullable(),
    durationMs: lengthMs.nullable(),
    needs: z
      .array(z.string())
      .nullable()
      .describe("Steps that must pass before it; null: the one before it"),
    attempts: z.array(attemptSchema).describe("A step that passed after more than one is flaky"),
  })
  .meta({ id: "Step" });

export const buildSchema = z
  .object({
    id: z.int().min(1),
    repositoryId: z.int().min(1),
    repository: z.string().describe("The repository's short name"),
    branch: z.string().describe("A branch, `tag <name>` or `pull request <number>`"),
    sha: z.string(),
    author: z.string(),
    subject: z.string(),
    committedMs: ms,
    cause: z.enum(["commit", "manual", "rebuild", "cron", "requeue"]),
    causeBuildId: z.int().nullable().describe("The build that this one repeats"),
    state: z.enum(["queued", "running", "passed", "failed", "cancelled", "lost"]),
    reason: z.string().nullable().describe("A sentence for people"),
    queuedMs: ms,
    startedMs: ms.nullable(),
    finishedMs: ms.nullable(),
    durationMs: lengthMs.nullable(),
    logBytes: z.int().min(0).describe("Of the log, once the build has ended"),
    steps: z.array(stepSchema),
  })
  .meta({ id: "Build" }) satisfies z.ZodType<Build>;

export const repositorySchema = z
  .object({
    id: z.int().min(1),
    name: z.string(),
    label: z.string().describe("Its path, or its URL without user name and password"),
    isAdded: z.boolean().describe("Whether it was added, and so can be removed"),
    state: z.discriminatedUnion("type", [
      z.object({ type: z.literal("waiting") }),
      z.object({
        type: z.literal("reachable"),
        checkedMs: ms,
        headBranch: z.string().nullable(),
        branchCount: z.int(),
        passedOver: z.int().describe("Branches and tags that are not built for their names"),
      }),
      z.object({
        type: z.literal("unreachable"),
        message: z.string(),
        failures: z.int(),
        nextTryMs: ms,
      }),
    ]),
  })
  .meta({ id: "Repository" }) satisfies z.ZodType<Repository>;

export const queueSchema = z
  .object({
    count: z.int().min(0),
    first: z
      .array(z.object({ build: buildSchema, reason: z.string().describe("Why it waits") }))
      .describe("In the order in which they will start"),
  })
  .meta({ id: "Queue" }) satisfies z.ZodType<Queue>;

const triggerSchema = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("look") }).describe("A regular look at the repository"),
    z.object({ type: z.literal("refs") }).describe("The system told that branches have moved"),
    z.object({ type: z.literal("hook") }).describe("A git hook on the server's machine"),
    z.object({
      type: z.literal("webhook"),
      forge: z.enum(forges),
      delivery: z.string().nullable().describe("The forge's number of it"),
    }),
    z.object({ type: z.literal("cron"), schedule: z.string() }),
    z.object({ type: z.literal("person"), by: z.string() }),
    z.object({ type: z.literal("files") }).describe("Files of a work tree changed"),
  ])
  .meta({ id: "Trigger" });

const names = z.array(z.string());

export const detailsSchema = z
  .object({
    event: z.enum(eventNames),
    trigger: triggerSchema.nullable().describe("What had it queued; null: it was not kept"),
    baseSha: z.string().nullable().describe("The commit of the branch that was built before"),
    isTrusted: z.boolean().describe("Whether it gets secrets: a fork's build does not"),
    message: z.string().describe("The whole commit message"),
    commitUrl: z.string().nullable().describe("Where the forge shows the commit"),
    planReason: z.string().nullable().describe("Why it was built like this"),
    machine: z
      .object({
        host: z.string(),
        os: z.string(),
        kernel: z.string(),
        architecture: z.string(),
        cores: z.int(),
        memoryBytes: z.int(),
        node: z.string().describe("Of the build's runner"),
        variables: names.describe("Names alone, of what every step gets"),
      })
      .nullable()
      .describe("Null before it started, and when its log was removed"),
    tools: z
      .record(z.string(), z.string())
      .describe("Versions of the tools that steps name, outside of the checkout"),
    images: names,
    configuredVariables: names.describe("Names alone, of what the configuration sets"),
    secrets: names.describe("Names alone"),
  })
  .meta({ id: "BuildDetails" }) satisfies z.ZodType<BuildDetails>;

const role = z.enum(["none", "viewer", "builder", "admin"]);

export const sessionSchema = z
  .object({ name: z.string().nullable(), role })
  .meta({ id: "Session" });

export const planSchema = z
  .object({
    buildId: z.int(),
    repository: z.string().describe("Its path or URL"),
    branch: z.string(),
    sha: z.string(),
    reason: z.string().describe("Why it was built like this"),
    environment: z.record(z.string(), z.string()).describe("On top of what every step gets"),
    steps: z.array(
      z.object({
        name: z.string(),
        argv: z.array(z.string()),
        command: z.string(),
        needs: z.array(z.string()),
        environment: z.record(z.string(), z.string()),
        image: z.string().nullable(),
        secrets: z.array(z.string()).describe("Names alone"),
      }),
    ),
    workspace: z
      .string()
      .nullable()
      .describe("Where it was built, on the server's machine, while that is kept"),
  })
  .meta({ id: "Plan" });

export const resultsSchema = z
  .object({
    counts: z.object({
      passed: z.int(),
      failed: z.int(),
      skipped: z.int(),
      flaky: z.int().describe("Of those that passed"),
    }),
    problems: z.array(z.string()),
    tests: z.array(
      z.object({
        suite: z.string(),
        name: z.string(),
        state: z.enum(["passed", "failed", "skipped"]),
        isFlaky: z.boolean(),
        durationMs: z.number().nullable(),
        message: z.string().nullable(),
        details: z.string().nullable(),
        file: z.string().nullable(),
        line: z.int().nullable(),
        position: z.int().describe("The step whose report it is in"),
        isNew: z.boolean().describe("Failed now, and not when the branch was built before"),
      }),
    ),
    artifacts: z.array(
      z.object({
        position: z.int(),
        name: z.string(),
        bytes: z.int(),
        sha256: z.string(),
        url: z.string().describe("Where it can be had, with ranges"),
      }),
    ),
  })
  .meta({ id: "Results" });

export const flakySchema = z
  .object({
    tests: z.array(
      z.object({
        suite: z.string(),
        name: z.string(),
        runs: z.int().describe("Builds, of those looked at, in which it ran"),
        failures: z.int().describe("Of them, in which it failed, or passed only after a failure"),
        lastBuildId: z.int().describe("The newest of those"),
      }),
    ),
  })
  .meta({ id: "FlakyTests" });

const row = z.int().min(0);

export const logIndexSchema = z
  .object({
    byte: z.int().min(0).describe("How far it goes"),
    lines: row.describe("Rows up to there"),
    checkpoints: z
      .array(z.looseObject({ byte: z.int().min(0), line: row }))
      .describe("Where a terminal can begin, and in which state"),
    groups: z.array(
      z.looseObject({
        start: row,
        end: row.optional().describe("The first row behind it; absent while it is open"),
        title: z.string(),
        depth: z.int().min(0),
      }),
    ),
    groupTimes: z
      .array(z.tuple([ms.nullable(), ms.nullable()]))
      .describe("When each group began and ended"),
    errors: z.array(row).describe("Rows that look like errors, the first 200"),
    end: z
      .object({
        length: z.int().min(0),
        sha256: z.string().optional(),
        isFailure: z.boolean(),
      })
      .nullable()
      .describe("Null while it grows"),
    nowMs: ms,
  })
  .meta({ id: "LogIndex" });

export const logSearchSchema = z
  .object({
    rows: z.array(row),
    isCut: z.boolean().describe("There are more: these are the first"),
    lines: row.describe("How many rows were looked at"),
  })
  .meta({ id: "LogSearch" });

export const logTimesSchema = z
  .object({
    times: z
      .array(z.tuple([z.int().min(0).describe("From this byte on"), ms]))
      .describe("Of each burst of output"),
  })
  .meta({ id: "LogTimes" });
