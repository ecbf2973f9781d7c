import { z } from "zod";
import { forges } from "../triggers/delivery.ts";
import { route, type Route, type RouteAnswer } from "./route.ts";
import { flakySchema, logIndexSchema, logSearchSchema, logTimesSchema } from "./schemas.ts";

const number = z.string().regex(/^\d{1,15}$/);
const build = number.describe("The number of a build");
const branch = z
  .string()
  .optional()
  .describe("The one that HEAD is on, unless another one is named");
const log = z
  .string()
  .regex(/^(setup|\d+\.\d+)$/)
  .describe("`setup`, or a step from 0 and its attempt from 1: `0.1`");

const ofLog = z.object({ id: build, log });

function text(contentType: string, what: string): RouteAnswer {
  return { type: "other", status: 200, contentType, what };
}

function json(schema: z.ZodType, what: string): RouteAnswer {
  return { type: "json", status: 200, schema, what };
}

/** What answers besides the API: described like it, and answered where its handler stands. */
export const describedRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/",
    summary: "The page of what is live, with the overview",
    role: "viewer",
    answer: text("text/html", "The page"),
  }),
  route({
    method: "get",
    path: "/wall",
    summary: "The page for a screen on a wall",
    role: "viewer",
    answer: text("text/html", "The page"),
  }),
  route({
    method: "get",
    path: "/builds/{id}",
    summary: "The page of a build",
    role: "viewer",
    params: z.object({ id: build }),
    answer: text("text/html", "The page"),
    others: { 404: "The same page, which says that there is no such build" },
  }),
  route({
    method: "get",
    path: "/builds/{id}/log",
    summary: "The whole log of a build, as it stood on the console",
    role: "viewer",
    params: z.object({ id: build }),
    answer: text("text/plain", "The log; of a running build as far as it has come"),
    others: { 206: "The range that was asked for", 416: "The log has no such range" },
    refusals: [404],
  }),
  route({
    method: "get",
    path: "/builds/{id}/logs/{log}",
    summary: "The bytes of one log, also while it grows",
    role: "viewer",
    params: ofLog,
    answer: text("text/plain", "The log"),
    others: { 206: "The range that was asked for", 416: "The log has no such range" },
    refusals: [404],
  }),
  route({
    method: "get",
    path: "/builds/{id}/logs/{log}/index",
    summary: "Where to begin in a log, its groups, and what looks like errors",
    role: "viewer",
    params: ofLog,
    answer: json(logIndexSchema, "The index"),
    refusals: [404],
  }),
  route({
    method: "get",
    path: "/builds/{id}/logs/{log}/search",
    summary: "The rows of a log that have a text",
    role: "viewer",
    params: ofLog,
    query: z.object({
      q: z.string().min(1).max(200).describe("Capital letters count if it has some"),
    }),
    answer: json(logSearchSchema, "The rows"),
    refusals: [400, 404],
  }),
  route({
    method: "get",
    path: "/builds/{id}/logs/{log}/times",
    summary: "When the bytes of a log were printed",
    role: "viewer",
    params: ofLog,
    answer: json(logTimesSchema, "The times"),
    refusals: [404],
  }),
  route({
    method: "get",
    path: "/builds/{id}/artifacts/{position}/{name}",
    summary: "A file that a build kept, to be saved",
    role: "viewer",
    params: z.object({
      id: build,
      position: z
        .string()
        .regex(/^\d{1,4}$/)
        .describe("The step that made it, from 0"),
      name: z.string().describe("Its path in the workspace; may hold slashes"),
    }),
    answer: text("application/octet-stream", "The file, with its SHA-256 in `Repr-Digest`"),
    others: {
      206: "The range that was asked for",
      304: "What the asker has is the same",
      416: "The file has no such range",
    },
    refusals: [404],
  }),
  route({
    method: "get",
    path: "/latest/{repository}/{name}",
    summary: "The way to a file of the newest build of a branch that passed and kept it",
    role: "viewer",
    params: z.object({
      repository: z.string().describe("The repository's short name"),
      name: z.string().describe("Its path in the workspace; may hold slashes"),
    }),
    query: z.object({ branch }),
    answer: { type: "empty", status: 302, what: "Where the file is" },
    refusals: [404],
  }),
  route({
    method: "get",
    path: "/api/repositories/{id}/flaky",
    summary: "Lists the tests of a repository that pass and fail by chance",
    role: "viewer",
    params: z.object({ id: number.describe("The number of a repository") }),
    answer: json(flakySchema, "The tests, the flakiest first"),
  }),
  route({
    method: "get",
    path: "/badges/{file}",
    summary: "How a branch stands, as a picture for a README",
    role: "viewer",
    params: z.object({
      file: z
        .string()
        .regex(/\.svg$/)
        .describe("The repository's short name, and `.svg`"),
    }),
    query: z.object({ branch, label: z.string().optional().describe("In the place of `build`") }),
    answer: text("image/svg+xml", "The badge"),
    refusals: [404],
  }),
  route({
    method: "get",
    path: "/cc.xml",
    summary: "How all branches stand, for build monitors that read CCTray",
    role: "viewer",
    answer: text("application/xml", "The projects"),
  }),
  route({
    method: "get",
    path: "/metrics",
    summary: "How AutoBuild does, for Prometheus",
    role: "viewer",
    answer: text("text/plain", "Text format 0.0.4"),
  }),
  route({
    method: "get",
    path: "/autobuild.schema.json",
    summary: "The JSON Schema of the configuration in a repository",
    role: "viewer",
    answer: json(z.looseObject({ $schema: z.string() }), "The schema"),
  }),
  route({
    method: "post",
    path: "/hooks/{forge}",
    summary: "Takes what forges and git hooks tell; each proves itself",
    role: "none",
    params: z.object({ forge: z.enum([...forges, "local"]) }),
    answer: { type: "other", status: 202, contentType: "text/plain", what: "What becomes of it" },
    others: {
      400: "The body is not as the forge sends it",
      401: "Signature or token are wrong",
      404: "There is no such forge, or the repository is none of ours",
      408: "It took too long",
      409: "It came before",
      413: "It is too large",
      503: "Webhooks are off, or too many come at once",
    },
  }),
  route({
    method: "get",
    path: "/login",
    summary: "The form to log in with, or to log out with",
    role: "none",
    query: z.object({ next: z.string().optional().describe("The path to go on to") }),
    answer: text("text/html", "The form"),
  }),
  route({
    method: "post",
    path: "/login",
    summary: "Logs in with a form: `name` (empty with a token), `password`, `next`",
    role: "none",
    answer: { type: "empty", status: 303, what: "Logged in: a cookie, and where to go on" },
    others: {
      401: "The form, which says that name or password are wrong",
      429: "The form, which says when to try again",
      503: "The form, which says that too many log in at once",
    },
    refusals: [403, 413],
  }),
  route({
    method: "post",
    path: "/logout",
    summary: "Ends the session",
    role: "none",
    answer: { type: "empty", status: 303, what: "Logged out" },
    refusals: [403],
  }),
  route({
    method: "get",
    path: "/login.css",
    summary: "The style of the form",
    role: "none",
    answer: text("text/css", "The style"),
  }),
];
