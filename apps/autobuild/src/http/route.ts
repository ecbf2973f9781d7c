import type { Context, Hono } from "hono";
import type { z } from "zod";
import type { Access } from "../auth/access.ts";
import { includesRole, type Role } from "../auth/role.ts";
import { denied, type DoorEnv } from "./guard.ts";
import { problem, problemOf } from "./problem.ts";

const maxBodyBytes = 64 * 1024;

/** What a route's handler gets: everything checked. */
export interface RouteInput<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly access: Access;
  readonly context: Context<DoorEnv>;
}

/** What a route gives when all is well. */
export type RouteAnswer =
  | {
      readonly type: "json";
      readonly status: 200 | 201;
      readonly schema: z.ZodType;
      readonly what: string;
    }
  | {
      readonly type: "other";
      readonly status: 200 | 202;
      readonly contentType: string;
      readonly what: string;
    }
  /** It says where to go on. */
  | { readonly type: "empty"; readonly status: 302 | 303; readonly what: string };

/**
 * One route of the API, as data: what checks a request is also what describes it, and what says who may.
 *
 * `path` has its parameters as OpenAPI does: `/api/builds/{id}`. A parameter that does not fit is a path that there
 * is not (404), a query or a body that does not is 400.
 */
export interface Route {
  readonly method: "get" | "post" | "delete";
  readonly path: string;
  readonly summary: string;
  readonly role: Role;
  readonly params: z.ZodObject | undefined;
  readonly query: z.ZodObject | undefined;
  readonly body: z.ZodType | undefined;
  readonly answer: RouteAnswer;
  /** Statuses besides 401 and 403 that it may refuse with. */
  readonly refusals: readonly number[];
  /** Further answers that are no problem details, with what they say. */
  readonly others: Readonly<Record<number, string>>;
  /** Undefined: it is described here and answered elsewhere. */
  readonly handle:
    | ((input: RouteInput<never, never, never>) => unknown | Promise<unknown>)
    | undefined;
}

/** Makes a route, and knows the types of what its handler gets. */
export function route<
  Params extends z.ZodObject = z.ZodObject<{}>,
  Query extends z.ZodObject = z.ZodObject<{}>,
  Body extends z.ZodType = z.ZodUndefined,
>(definition: {
  readonly method: Route["method"];
  readonly path: string;
  readonly summary: string;
  readonly role: Role;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly answer: RouteAnswer;
  readonly refusals?: readonly number[];
  readonly others?: Readonly<Record<number, string>>;
  /** Gives what is sent as JSON, or a `Response`. What it throws is answered with problem details. */
  readonly handle?: (
    input: RouteInput<z.output<Params>, z.output<Query>, z.output<Body>>,
  ) => unknown | Promise<unknown>;
}): Route {
  const { params, query, body, refusals = [], others = {}, handle, ...rest } = definition;
  return { ...rest, params, query, body, refusals, others, handle };
}

/** Puts routes on an app. */
export function mount(
  app: Hono<DoorEnv>,
  routes: readonly Route[],
  report: (message: string) => void,
): void {
  for (const each of routes) {
    if (each.handle === undefined) continue;
    const path = each.path.replaceAll(/\{(\w+)\}/g, ":$1");
    app.on(each.method.toUpperCase(), path, async (context, next) => {
      try {
        return await answer(each, each.handle as Handle, context, next);
      } catch (error) {
        return problemOf(error, report);
      }
    });
  }
}

type Handle = (input: RouteInput<unknown, unknown, unknown>) => unknown;

async function answer(
  { role, params, query, body, answer: expected }: Route,
  handle: Handle,
  context: Context<DoorEnv>,
  next: () => Promise<void>,
): Promise<Response | undefined> {
  const access = context.get("access");
  if (!includesRole(access.role, role)) return denied(access, role);
  const checkedParams = params?.safeParse(context.req.param());
  if (checkedParams?.success === false) {
    await next();
    return undefined;
  }
  const checkedQuery = query?.safeParse(context.req.query());
  if (checkedQuery?.success === false)
    return problem(400, "HTTP_BAD_QUERY", sentence("the query", checkedQuery.error));
  let checkedBody: unknown;
  if (body !== undefined) {
    const read = await readJson(context);
    if (read instanceof Response) return read;
    const checked = body.safeParse(read.json);
    if (!checked.success) return problem(400, "HTTP_BAD_BODY", sentence("the body", checked.error));
    checkedBody = checked.data;
  }
  const result = await handle({
    params: checkedParams?.data,
    query: checkedQuery?.data,
    body: checkedBody,
    access,
    context,
  });
  if (result instanceof Response) return result;
  return context.json(result as object, expected.status, { "Cache-Control": "no-store" });
}

/** The JSON of a request, of bounded size. No body is an empty object. */
async function readJson(context: Context<DoorEnv>): Promise<{ json: unknown } | Response> {
  const tooLarge = (): Response =>
    problem(413, "HTTP_TOO_LARGE", `Expected a body of at most ${maxBodyBytes} bytes, got more.`);
  if (Number(context.req.header("content-length") ?? 0) > maxBodyBytes) return tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (context.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) return tooLarge();
    chunks.push(chunk);
  }
  if (bytes === 0) return { json: {} };
  const type = context.req.header("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type))
    return problem(
      415,
      "HTTP_NOT_JSON",
      `Expected a body with Content-Type: application/json, got ${JSON.stringify(type.slice(0, 80))}.`,
    );
  try {
    return { json: JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown };
  } catch {
    return problem(400, "HTTP_BAD_BODY", "Expected the body to be JSON, got something else.");
  }
}

function sentence(what: string, error: z.ZodError): string {
  const [issue] = error.issues;
  const where =
    issue === undefined || issue.path.length === 0 ? "" : ` at \`${issue.path.join(".")}\``;
  return `Expected ${what} to be as /api/openapi.json says, got a fault${where}: ${issue?.message ?? "unknown"}.`;
}
