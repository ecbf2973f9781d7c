import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Hono, type Context } from "hono";
import { compress } from "hono/compress";
import { etag } from "hono/etag";
import { secureHeaders } from "hono/secure-headers";
import { readPage } from "./assets.ts";
import type { Autobuild } from "./autobuild.ts";
import { api } from "./http/api.ts";
import { badges } from "./http/badges.ts";
import { guard, type DoorEnv } from "./http/guard.ts";
import { sendConsoleLog } from "./http/log-answer.ts";
import { login } from "./http/login.ts";
import { logs } from "./http/logs.ts";
import { Metrics } from "./http/metrics.ts";
import { notFound, problem, problemOf } from "./http/problem.ts";
import { results } from "./http/results.ts";
import { mount } from "./http/route.ts";
import type { PageName } from "./page-files.ts";
import { configJsonSchema } from "./plan/config-schema.ts";

export interface PagesOptions {
  /** The origin by which people reach it through a proxy. */
  readonly publicUrl?: string | undefined;
}

/** The page, its parts, and what can be had without a WebSocket: raw logs and the list of builds. */
export async function pages(
  autobuild: Autobuild,
  { publicUrl }: PagesOptions = {},
): Promise<Hono<DoorEnv>> {
  const app = new Hono<DoorEnv>();
  // Outermost, so that it has the last word: a README of another site shows a badge.
  app.use("/badges/*", async (context, next) => {
    await next();
    context.header("Cross-Origin-Resource-Policy", "cross-origin");
  });
  app.use(
    secureHeaders({
      // What a build prints must never run: not as a script, a style or a picture from elsewhere.
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", "data:"],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
      // Other sites learn nothing; our own forms say where they come from.
      referrerPolicy: "same-origin",
      strictTransportSecurity: false,
    }),
  );
  const { auth } = autobuild;
  app.use(guard({ auth, publicOrigin: publicUrl }));
  app.route("/", login(auth));
  app.route("/", badges(autobuild));
  app.route("/", results(autobuild));
  app.route("/", logs(autobuild));
  const page = await readPage();
  for (const [url, asset] of page.files) {
    app.get(url, async (context) => {
      const isSmall = /\bgzip\b/.test(context.req.header("accept-encoding") ?? "");
      const body = isSmall ? asset.gzip : new Uint8Array(await promisify(gunzip)(asset.gzip));
      return context.body(body, 200, {
        "Content-Type": asset.type,
        // The address has the hash in it.
        "Cache-Control": "public, max-age=31536000, immutable",
        Vary: "Accept-Encoding",
        ...(isSmall && { "Content-Encoding": "gzip" }),
      });
    });
  }
  const html = (context: Context, name: PageName, status: 200 | 404 = 200): Response =>
    context.html(page.html[name], status, {
      "Cache-Control": "no-cache",
    });
  app.get("/", compress(), etag(), (context) => html(context, "console"));
  app.get("/wall", compress(), etag(), (context) => html(context, "wall"));
  app.get("/builds/:id{[0-9]{1,15}}", compress(), etag(), (context) =>
    html(
      context,
      "build",
      autobuild.builds.get(Number(context.req.param("id"))) === undefined ? 404 : 200,
    ),
  );
  app.all("/hooks/:forge", (context) =>
    autobuild.webhooks.handle(context.req.raw, context.req.param("forge")),
  );
  app.get("/autobuild.schema.json", (context) =>
    context.json(configJsonSchema(), 200, { "Cache-Control": "no-cache" }),
  );
  const report = (message: string): void => console.error(`autobuild: ${message}`);
  mount(app, api(autobuild), report);
  const metrics = new Metrics(autobuild);
  app.get("/metrics", (context) =>
    context.text(metrics.text(), 200, {
      "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
    }),
  );
  app.get("/builds/:id{[0-9]{1,15}}/log", async (context) => {
    const id = Number(context.req.param("id"));
    const build = autobuild.builds.get(id);
    const log = autobuild.builds.log(id);
    if (build === undefined || log === undefined)
      return problem(
        404,
        "AUTOBUILD_NO_SUCH_BUILD",
        "Expected the number of a build that has started, got another one.",
      );
    return sendConsoleLog(context, autobuild, build, log, {});
  });
  // Whoever mistypes an address sees the page, which says so and leads on; programs get JSON.
  app.notFound((context) =>
    context.req.method === "GET" &&
    !context.req.path.startsWith("/api/") &&
    (context.req.header("accept") ?? "").includes("text/html")
      ? html(context, "build", 404)
      : notFound(context),
  );
  app.onError((error) => problemOf(error, report));
  return app;
}
