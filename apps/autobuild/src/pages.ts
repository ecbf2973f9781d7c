import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { Hono } from "hono";
import { secureHeaders } from "hono/secure-headers";
import type { Autobuild } from "./autobuild.ts";
import { LogBody } from "./log/log-body.ts";

const assets = {
  "/": { file: "index.html", type: "text/html; charset=utf-8" },
  "/style.css": { file: "style.css", type: "text/css; charset=utf-8" },
  ...Object.fromEntries(
    ["main", "build-list", "console-view", "connection", "format", "trend"].map((name) => [
      `/${name}.js`,
      { file: `${name}.ts`, type: "text/javascript; charset=utf-8" },
    ]),
  ),
} as Readonly<Record<string, { readonly file: string; readonly type: string }>>;

/** The page, its parts, and what can be had without a WebSocket: raw logs and the list of builds. */
export async function pages(autobuild: Autobuild): Promise<Hono> {
  const app = new Hono();
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
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
      strictTransportSecurity: false,
    }),
  );
  for (const [path, { file, type }] of Object.entries(assets)) {
    const body = await assetOf(file);
    app.get(path, (context) =>
      context.body(body, 200, { "Content-Type": type, "Cache-Control": "no-cache" }),
    );
  }
  app.get("/api/builds", (context) =>
    context.json({
      builds: autobuild.builds.list(),
      repositories: autobuild.builds.repositories(),
    }),
  );
  app.get("/builds/:id{[0-9]+}/log", (context) => {
    const log = autobuild.builds.log(Number(context.req.param("id")));
    if (log === undefined)
      return context.text(
        "Expected the number of a build that has started, got another one.\n",
        404,
      );
    return context.body(new LogBody(log).stream(), 200, {
      "Content-Type": "text/plain; charset=utf-8",
      "Cache-Control": "no-store",
    });
  });
  app.notFound((context) =>
    context.text("Expected /, /api/builds or /builds/<number>/log, got another path.\n", 404),
  );
  return app;
}

/** The browser gets the page's TypeScript without its types: no build step, and the line numbers stay. */
async function assetOf(file: string): Promise<string> {
  const text = await readFile(new URL(`./page/${file}`, import.meta.url), "utf8");
  if (!file.endsWith(".ts")) return text;
  return stripTypeScriptTypes(text).replace(/(from "\.\/[a-z-]+)\.ts"/g, '$1.js"');
}
