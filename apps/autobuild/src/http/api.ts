import { existsSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { Access } from "../auth/access.ts";
import type { Autobuild } from "../autobuild.ts";
import { recordedPlan } from "../build/recorded-plan.ts";
import { retryFailed } from "../build/retry-failed.ts";
import { AutobuildError, noSuchBuild } from "../errors.ts";
import { instantOf } from "../instant.ts";
import { describedRoutes } from "./described.ts";
import { sendConsoleLog } from "./log-answer.ts";
import { openApi } from "./openapi.ts";
import { problem } from "./problem.ts";
import { route, type Route } from "./route.ts";
import {
  buildSchema,
  detailsSchema,
  planSchema,
  queueSchema,
  repositorySchema,
  resultsSchema,
  sessionSchema,
} from "./schemas.ts";

const number = z
  .string()
  .regex(/^\d{1,15}$/, "expected a number")
  .transform(Number);
const byId = z.object({ id: number.describe("The number of a build") });
const name = z.string().min(1).max(300);

const repositoryRequest = z
  .strictObject({
    source: z.string().min(1).max(2000).describe("Its path on the server's machine, or its URL"),
  })
  .meta({ id: "RepositoryRequest" });

/** The API: what it takes, what it gives, and who may. */
export function api(autobuild: Autobuild): readonly Route[] {
  const { builds, folders } = autobuild;
  const buildOf = (id: number) => {
    const build = builds.get(id);
    if (build !== undefined) return build;
    throw noSuchBuild(id);
  };
  const repositoryOf = (wanted: string | undefined) => {
    const all = builds.repositories();
    const found =
      wanted === undefined
        ? all
        : all.filter((each) => each.label === wanted || each.name === wanted);
    const [only, ...others] = found;
    if (only !== undefined && others.length === 0) return only;
    throw new AutobuildError(
      "AUTOBUILD_BAD_SOURCE",
      `Expected one repository${wanted === undefined ? "" : ` called ${JSON.stringify(wanted)}`}, got ${found.length}. ` +
        `Give \`repository\` as one of: ${all.map(({ label }) => label).join(", ")}.`,
    );
  };

  const routes: Route[] = [
    route({
      method: "get",
      path: "/api/builds",
      summary: "Lists builds, newest first, and the repositories",
      role: "viewer",
      query: z.object({
        before: number.optional().describe("Only builds older than this one"),
        limit: number
          .pipe(z.int().min(1).max(1000))
          .optional()
          .describe("At most so many, 1 to 1000; 50"),
        repository: number.optional().describe("Only builds of the repository of this number"),
        branch: name.optional().describe("Only builds of this branch"),
      }),
      answer: {
        type: "json",
        status: 200,
        schema: z.object({ builds: z.array(buildSchema), repositories: z.array(repositorySchema) }),
        what: "A page of builds",
      },
      refusals: [400],
      handle: ({ query: { before, limit, repository, branch } }) => ({
        builds: builds.list({
          ...(before === undefined ? {} : { beforeId: before }),
          ...(limit === undefined ? {} : { limit }),
          ...(repository === undefined ? {} : { repositoryId: repository }),
          ...(branch === undefined ? {} : { branch }),
        }),
        repositories: builds.repositories(),
      }),
    }),
    route({
      method: "post",
      path: "/api/builds",
      summary: "Builds a branch or a tag as it is now",
      role: "builder",
      body: z
        .strictObject({
          repository: name
            .optional()
            .describe("Its path, URL or name; needed if there are several"),
          branch: name.optional().describe("The one that HEAD is on, unless a tag is named"),
          tag: name.optional(),
        })
        .meta({ id: "BuildRequest" }),
      answer: { type: "json", status: 201, schema: buildSchema, what: "The build, queued" },
      refusals: [400, 404, 409, 413, 415, 502, 503],
      handle: ({ body: { repository, branch, tag }, access }) =>
        builds.build(repositoryOf(repository).id, { branch, tag }, nameOf(access)),
    }),
    route({
      method: "post",
      path: "/api/builds/retry-failed",
      summary: "Builds the newest commit of each branch again whose last build did not pass",
      role: "builder",
      body: z
        .strictObject({
          repository: name.optional().describe("Only of this one"),
          branch: name.optional().describe("Only this one"),
        })
        .meta({ id: "RetryRequest" }),
      answer: {
        type: "json",
        status: 201,
        schema: z.object({
          builds: z.array(buildSchema),
          isQueueFull: z.boolean().describe("Whether branches are left for which it had no room"),
        }),
        what: "The builds, queued; none where all pass",
      },
      refusals: [400, 413, 415, 503],
      handle({ body: { repository, branch }, access }) {
        const only = repository === undefined ? undefined : repositoryOf(repository).id;
        const filter = { repositoryId: only, branch };
        return retryFailed(autobuild.overview.pages(), builds, filter, nameOf(access));
      },
    }),
    route({
      method: "get",
      path: "/api/builds/{id}",
      summary: "Gives one build with its steps",
      role: "viewer",
      params: byId,
      answer: { type: "json", status: 200, schema: buildSchema, what: "The build" },
      refusals: [404],
      handle: ({ params: { id } }) => buildOf(id),
    }),
    route({
      method: "post",
      path: "/api/builds/{id}/cancel",
      summary: "Cancels a build; answers when nothing of it runs any more",
      role: "builder",
      params: byId,
      answer: { type: "json", status: 200, schema: buildSchema, what: "The build, cancelled" },
      refusals: [404, 409],
      handle: ({ params: { id }, access }) => builds.cancel(id, nameOf(access)),
    }),
    route({
      method: "post",
      path: "/api/builds/{id}/retry",
      summary: "Builds the same commit once more",
      role: "builder",
      params: byId,
      answer: { type: "json", status: 201, schema: buildSchema, what: "The new build, queued" },
      refusals: [404, 503],
      handle: ({ params: { id }, access }) => builds.rebuild(id, nameOf(access)),
    }),
    route({
      method: "get",
      path: "/api/builds/{id}/plan",
      summary: "Says how a build was carried out: the commit, the variables and the commands",
      role: "viewer",
      params: byId,
      answer: { type: "json", status: 200, schema: planSchema, what: "The plan" },
      refusals: [404, 409],
      async handle({ params: { id } }) {
        const build = buildOf(id);
        const plan = await recordedPlan(folders.of(id));
        if (plan === undefined)
          return problem(
            409,
            "AUTOBUILD_NOTHING_TO_BUILD",
            `Expected a build that came to a plan, got build ${id}, which is ${build.state} and has none.`,
          );
        const workspace = path.join(autobuild.dataDir, "workspaces", String(id));
        return {
          buildId: id,
          repository:
            builds.repositories().find((each) => each.id === build.repositoryId)?.label ??
            build.repository,
          branch: build.branch,
          sha: build.sha,
          reason: plan.reason,
          environment: plan.environment,
          steps: plan.steps.map(
            ({ name: stepName, argv, command, needs, environment, image, secrets }) => ({
              name: stepName,
              argv,
              command,
              needs,
              environment,
              image,
              secrets,
            }),
          ),
          workspace: existsSync(workspace) ? workspace : null,
        };
      },
    }),
    route({
      method: "get",
      path: "/api/builds/{id}/details",
      summary: "Says what led to a build, where it ran and with what, and the whole commit message",
      role: "viewer",
      params: byId,
      answer: { type: "json", status: 200, schema: detailsSchema, what: "The details" },
      refusals: [404],
      handle: ({ params: { id } }) => autobuild.detailsOf(buildOf(id)),
    }),
    route({
      method: "get",
      path: "/api/builds/{id}/log",
      summary: "Gives a build's log as whole lines, as far as it has come",
      role: "viewer",
      params: byId,
      query: z.object({
        from: number
          .optional()
          .describe("Where to begin, in bytes; within a line: at the next one"),
        since: z
          .string()
          .max(40)
          .transform((text) => instantOf(text, Date.now()))
          .refine(
            (ms) => ms !== undefined,
            'expected a time such as "2026-11-24T10:00Z", or how long ago: "10m"',
          )
          .optional()
          .describe(
            "Only what was printed then or later: an ISO 8601 time, or how long ago, as in 90s, 10m, 12h",
          ),
      }),
      answer: { type: "other", status: 200, contentType: "text/plain", what: "The log" },
      others: { 206: "The range that was asked for", 416: "The log has no such range" },
      refusals: [400, 404],
      handle({ params: { id }, query: { from, since: sinceMs }, context }) {
        const build = buildOf(id);
        const log = builds.log(id);
        if (log === undefined)
          return problem(
            404,
            "AUTOBUILD_NO_SUCH_BUILD",
            `Expected a build that has started, got build ${id}, which has not.`,
          );
        return sendConsoleLog(context, autobuild, build, log, { from, sinceMs });
      },
    }),
    route({
      method: "get",
      path: "/api/builds/{id}/results",
      summary: "Gives the tests and the kept files of a build",
      role: "viewer",
      params: byId,
      answer: { type: "json", status: 200, schema: resultsSchema, what: "Tests and files" },
      refusals: [404],
    }),
    route({
      method: "get",
      path: "/api/queue",
      summary: "Lists what waits, and why",
      role: "viewer",
      answer: { type: "json", status: 200, schema: queueSchema, what: "The queue" },
      handle: () => autobuild.overview.queue(),
    }),
    route({
      method: "get",
      path: "/api/repositories",
      summary: "Lists the repositories that are built",
      role: "viewer",
      answer: {
        type: "json",
        status: 200,
        schema: z.object({ repositories: z.array(repositorySchema) }),
        what: "The repositories",
      },
      handle: () => ({ repositories: builds.repositories() }),
    }),
    route({
      method: "post",
      path: "/api/repositories",
      summary: "Builds one more repository from now on, also after a restart",
      role: "admin",
      body: repositoryRequest,
      answer: { type: "json", status: 201, schema: repositorySchema, what: "The repository" },
      refusals: [400, 413, 415, 503],
      handle: ({ body: { source } }) => autobuild.addRepository(source),
    }),
    route({
      method: "post",
      path: "/api/repositories/remove",
      summary: "Takes back that a repository was added; what was built of it stays",
      role: "admin",
      body: repositoryRequest,
      answer: {
        type: "json",
        status: 200,
        schema: z.object({ repositories: z.array(repositorySchema) }),
        what: "Those that are still built",
      },
      refusals: [400, 413, 415],
      async handle({ body: { source } }) {
        await autobuild.removeRepository(source);
        return { repositories: builds.repositories() };
      },
    }),
    route({
      method: "get",
      path: "/api/session",
      summary: "Says who asks, and what they may do",
      role: "viewer",
      answer: { type: "json", status: 200, schema: sessionSchema, what: "Who asks" },
      handle: ({ access: { name: own, role } }) => ({ name: own, role }),
    }),
    route({
      method: "get",
      path: "/api/openapi.json",
      summary: "Describes all of this",
      role: "viewer",
      answer: {
        type: "json",
        status: 200,
        schema: z.looseObject({ openapi: z.string() }),
        what: "An OpenAPI 3.1 description",
      },
      handle: () => description,
    }),
  ];
  const description = openApi([...routes, ...describedRoutes]);
  return routes;
}

/** Who asked, as it ends a sentence: "by Ann". */
function nameOf({ name }: Access): string {
  return name ?? "somebody at a terminal";
}
