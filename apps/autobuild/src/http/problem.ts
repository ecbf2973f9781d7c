import type { Context } from "hono";
import { z } from "zod";
import { AutobuildError, isDiskFull, messageOf, type AutobuildErrorCode } from "../errors.ts";

/**
 * What every answer but a success holds: problem details (RFC 9457).
 *
 * `detail` says what was expected, what came and what to do. `code` is for programs.
 */
export const problemSchema = z
  .object({
    type: z.literal("about:blank"),
    title: z.string().describe("The status in words"),
    status: z.int().min(400).max(599),
    detail: z.string().describe("What was expected, what came, what to do"),
    code: z.string().describe("The same for the same mistake: AUTOBUILD_NO_SUCH_BUILD"),
  })
  .meta({ id: "Problem" });

export type Problem = z.infer<typeof problemSchema>;

const titles = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  507: "Insufficient Storage",
} as const;

export type ProblemStatus = keyof typeof titles;

/** Answers with problem details. */
export function problem(
  status: ProblemStatus,
  code: AutobuildErrorCode | `HTTP_${string}`,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body: Problem = { type: "about:blank", title: titles[status], status, detail, code };
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      ...headers,
    },
  });
}

const statusOfCode: Partial<Record<AutobuildErrorCode, ProblemStatus>> = {
  AUTOBUILD_NO_SUCH_BUILD: 404,
  AUTOBUILD_BUILD_ENDED: 409,
  AUTOBUILD_QUEUE_FULL: 503,
  AUTOBUILD_STOPPED: 503,
  AUTOBUILD_BUSY: 503,
  AUTOBUILD_FORBIDDEN: 403,
  AUTOBUILD_BAD_OPTION: 400,
  AUTOBUILD_BAD_SOURCE: 400,
  AUTOBUILD_BAD_CONFIG: 409,
  AUTOBUILD_NOTHING_TO_BUILD: 409,
  AUTOBUILD_NO_SUCH_BRANCH: 404,
  AUTOBUILD_GIT_FAILED: 502,
  AUTOBUILD_GIT_TIMEOUT: 502,
  AUTOBUILD_FOREIGN_OWNER: 409,
};

/**
 * Answers for something that was thrown.
 *
 * A full disk is 507 and says so. What nobody expected is 500 without its text, which may hold anything, and is
 * reported.
 */
export function problemOf(error: unknown, report: (message: string) => void): Response {
  if (error instanceof AutobuildError) {
    const status = statusOfCode[error.code] ?? 500;
    return problem(status, error.code, error.message, status === 503 ? { "Retry-After": "5" } : {});
  }
  report(messageOf(error));
  if (isDiskFull(error)) {
    return problem(
      507,
      "HTTP_DISK_FULL",
      "Expected room on the disk that holds the data folder, got none. Nothing that was recorded is lost. Make room, then try again.",
    );
  }
  return problem(
    500,
    "HTTP_FAULT",
    "Expected an answer, got a fault of AutoBuild, which has reported it. Look at its output.",
  );
}

/** A path that there is not. */
export function notFound(context: Context): Response {
  return problem(
    404,
    "HTTP_NO_SUCH_PATH",
    `Expected a path of the page (/, /wall, /builds/<number>), of a log (/builds/<number>/log) or of /api/openapi.json, got ${JSON.stringify(context.req.path.slice(0, 100))}.`,
  );
}
