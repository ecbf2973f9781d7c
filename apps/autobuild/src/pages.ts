import { readdir, readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { etag } from "hono/etag";
import { secureHeaders } from "hono/secure-headers";
import type { Autobuild } from "./autobuild.ts";
import { LogBody } from "./log/log-body.ts";

const folder = new URL("./page/", import.meta.url);
const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".ts": "text/javascript; charset=utf-8",
};

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
  for (const file of await readdir(folder)) {
    const type = types[path.extname(file)];
    if (type === undefined) continue;
    const body = await assetOf(file);
    const url = file === "index.html" ? "/" : `/${file.replace(/\.ts$/, ".js")}`;
    app.get(url, compress(), etag(), (context) =>
      context.body(body, 200, { "Content-Type": type, "Cache-Control": "no-cache" }),
    );
  }
  app.get("/api/builds", (context) => {
    const before = context.req.query("before");
    if (before !== undefined && !/^\d{1,15}$/.test(before))
      return context.text("Expected `before` to be the number of a build.\n", 400);
    return context.json({
      builds: autobuild.builds.list(before === undefined ? {} : { beforeId: Number(before) }),
      repositories: autobuild.builds.repositories(),
    });
  });
  app.get("/api/builds/:id{[0-9]{1,15}}", (context) => {
    const build = autobuild.builds.get(Number(context.req.param("id")));
    if (build === undefined)
      return context.text("Expected the number of a build, got one that there is not.\n", 404);
    return context.json(build);
  });
  app.get("/builds/:id{[0-9]{1,15}}/log", (context) => {
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
    context.text(
      "Expected /, /api/builds, /api/builds/<number> or /builds/<number>/log, got another path.\n",
      404,
    ),
  );
  return app;
}

/** The browser gets the page's TypeScript without its types: no build step, and the line numbers stay. */
async function assetOf(file: string): Promise<string> {
  const text = await readFile(new URL(file, folder), "utf8");
  if (!file.endsWith(".ts")) return text;
  return stripTypeScriptTypes(text).replace(/(from "\.\/[a-z-]+)\.ts"/g, '$1.js"');
}
