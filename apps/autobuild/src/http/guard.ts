import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import { isUnknown, refusal, type Access } from "../auth/access.ts";
import type { Auth } from "../auth/auth.ts";
import { includesRole, type Role } from "../auth/role.ts";
import { problem } from "./problem.ts";

/** What every route finds in its context. */
export interface DoorEnv {
  Bindings: HttpBindings;
  Variables: {
    /** Who asks. Set before any route runs. */
    access: Access;
  };
}

/** What the guard knows about the way in. */
export interface GuardOptions {
  readonly auth: Auth;
  /** The origin by which pages reach it through a proxy. */
  readonly publicOrigin?: string | undefined;
}

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * What needs no login: the login itself and its style, and what has a check of its own (a webhook's signature).
 *
 * Everything else is closed to whoever may not read, whoever adds it.
 */
const open: readonly RegExp[] = [/^\/log(in|out)$/, /^\/login\.css$/, /^\/hooks\//];

/** What is sent by other servers and never by a page: it comes with no cookie that counts, and with any Origin. */
const fromServers = /^\/hooks\//;

/**
 * The door of every HTTP route: reading takes a viewer, everything else a builder, and a page of another site gets nothing done.
 *
 * A route that needs more says so itself, with `requireRole(context.get("access"), "admin")`.
 */
export function guard(options: GuardOptions): MiddlewareHandler<DoorEnv> {
  return async (context, next) => {
    const { method, path } = context.req;
    const isSafe = safeMethods.has(method);
    if (!isSafe && !fromServers.test(path)) {
      const foreign = refuseForeign(context, options);
      if (foreign !== undefined) return foreign;
    }
    const access = options.auth.accessOf({ headers: context.req.raw.headers });
    context.set("access", access);
    const needed: Role = open.some((each) => each.test(path))
      ? "none"
      : isSafe
        ? "viewer"
        : "builder";
    if (!includesRole(access.role, needed)) return refuseAccess(context, access, needed);
    await next();
    // What one person may read is not for a cache that several use.
    if (context.res.headers.get("cache-control") === null) {
      context.header("Cache-Control", "private, no-cache");
      context.header("Vary", "Cookie, Authorization", { append: true });
    }
    return undefined;
  };
}

/**
 * Refuses what a page of another site would have done: browsers send its forms with our cookies, or to a port that
 * needs none.
 *
 * Every browser says where such a request comes from. What says nothing is no browser, and must bring a token if
 * anything is to count.
 */
function refuseForeign(
  context: Context<DoorEnv>,
  { publicOrigin }: GuardOptions,
): Response | undefined {
  const headers = context.req.raw.headers;
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  const own = new URL(context.req.url).origin;
  // `Sec-Fetch-Site` knows best, and is there unless the page came by plain http from another machine.
  const isOwn =
    site === null
      ? origin === null || origin === own || origin === publicOrigin
      : site === "same-origin" || site === "none";
  if (!isOwn) {
    return problem(
      403,
      "HTTP_FOREIGN_ORIGIN",
      `Expected a request of a page of ${publicOrigin ?? own}, got one of ${origin ?? `another site (${site})`}. ` +
        "Programs send no Origin. Behind a proxy, say by which address pages reach it: --public-url https://ci.example.org",
    );
  }
  const isBrowser = origin !== null || site !== null;
  const hasToken = headers.get("authorization") !== null;
  if (isBrowser || hasToken || headers.get("cookie") === null) return undefined;
  return problem(
    403,
    "HTTP_COOKIE_WITHOUT_ORIGIN",
    "Expected a header Origin with a cookie, got none. A program uses a token: Authorization: Bearer <token>.",
  );
}

function refuseAccess(context: Context<DoorEnv>, access: Access, needed: Role): Response {
  const wantsPage =
    context.req.method === "GET" && (context.req.header("accept") ?? "").includes("text/html");
  if (wantsPage && isUnknown(access)) {
    const { pathname, search } = new URL(context.req.url);
    return context.redirect(`/login?next=${encodeURIComponent(pathname + search)}`, 303);
  }
  return denied(access, needed);
}

/** The answer to who has not logged in, and to whose role is not enough (RFC 9110, sections 15.5.2 and 15.5.4). */
export function denied(access: Access, needed: Role): Response {
  return isUnknown(access)
    ? problem(401, "HTTP_UNAUTHORIZED", refusal(access, needed), {
        "WWW-Authenticate": 'Bearer realm="AutoBuild"',
      })
    : problem(403, "AUTOBUILD_FORBIDDEN", refusal(access, needed));
}
