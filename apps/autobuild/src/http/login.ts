import { readFileSync } from "node:fs";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { html } from "hono/html";
import type { Access } from "../auth/access.ts";
import type { Auth, LoginResult } from "../auth/auth.ts";
import { AutobuildError } from "../errors.ts";
import type { DoorEnv } from "./guard.ts";
import { problem } from "./problem.ts";

const style = readFileSync(new URL("login.css", import.meta.url), "utf8");

const maxFormBytes = 8 * 1024;

/** The login: a form that needs no script. Logging out is a form too. */
export function login(auth: Auth): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const limit = bodyLimit({
    maxSize: maxFormBytes,
    onError: () =>
      problem(413, "HTTP_TOO_LARGE", `Expected a form of at most ${maxFormBytes} bytes, got more.`),
  });
  app.get("/login.css", (context) =>
    context.body(style, 200, {
      "Content-Type": "text/css; charset=utf-8",
      "Cache-Control": "no-cache",
    }),
  );
  app.get("/login", (context) =>
    page(context, 200, { next: context.req.query("next"), access: context.get("access") }),
  );
  app.post("/login", limit, async (context) => {
    const form = await context.req.parseBody();
    const name = textOf(form["name"]).trim();
    const next = textOf(form["next"]);
    const { address = "" } = getConnInfo(context).remote;
    let result: LoginResult;
    try {
      result = await auth.login(name, textOf(form["password"]), address);
    } catch (error) {
      if (!(error instanceof AutobuildError) || error.code !== "AUTOBUILD_BUSY") throw error;
      context.header("Retry-After", "5");
      return page(context, 503, { next, name, message: error.message });
    }
    switch (result.type) {
      case "ok":
        context.header("Set-Cookie", result.setCookie);
        return context.redirect(localPath(next), 303);
      case "tooMany": {
        const minutes = Math.ceil(result.retryAfterMs / 60_000);
        context.header("Retry-After", String(Math.ceil(result.retryAfterMs / 1000)));
        return page(context, 429, {
          next,
          name,
          message: `Too many logins have failed. Try again in ${minutes === 1 ? "a minute" : `${minutes} minutes`}.`,
        });
      }
      case "refused":
        return page(context, 401, {
          next,
          name,
          message:
            name === ""
              ? "There is no such token, or not any more."
              : "There is no such user, or the password is another one.",
        });
    }
  });
  app.post("/logout", limit, (context) => {
    context.header("Set-Cookie", auth.logout(context.get("access")));
    return context.redirect("/login", 303);
  });
  return app;
}

interface LoginPage {
  readonly next?: string | undefined;
  readonly name?: string;
  readonly message?: string;
  readonly access?: Access;
}

function page(
  context: Context<DoorEnv>,
  status: 200 | 401 | 429 | 503,
  { next, name = "", message, access }: LoginPage,
): Response | Promise<Response> {
  context.header("Cache-Control", "no-store");
  const isLoggedIn = access?.grant.type === "session";
  const body = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${message === undefined ? "" : "Error: "}Log in · AutoBuild</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/login.css" />
      </head>
      <body>
        <main>
          <h1>AutoBuild</h1>
          ${
            isLoggedIn
              ? html`<form method="post" action="/logout">
                  <p>You are logged in as ${access.name} (${access.role}).</p>
                  <button type="submit">Log out</button> <a href="${localPath(next)}">Go on</a>
                </form>`
              : html`<form method="post">
                  <h2>Log in</h2>
                  ${message === undefined ? "" : html`<p id="message" role="alert">${message}</p>`}
                  <input type="hidden" name="next" value="${localPath(next)}" />
                  <label for="name">User</label>
                  <input
                    id="name"
                    name="name"
                    value="${name}"
                    autocomplete="username"
                    autocapitalize="none"
                    spellcheck="false"
                    maxlength="64"
                    aria-describedby="hint${message === undefined ? "" : " message"}"
                  />
                  <p id="hint">Leave it empty to log in with a token.</p>
                  <label for="password">Password or token</label>
                  <input
                    id="password"
                    name="password"
                    type="password"
                    autocomplete="current-password"
                    required
                  />
                  <button type="submit">Log in</button>
                </form>`
          }
        </main>
      </body>
    </html>`;
  return context.html(body, status);
}

/** Where to go after the login: a path of ours, whatever the link to the login said. */
export function localPath(next: string | undefined): string {
  const base = "http://autobuild.invalid";
  const url = URL.parse(next ?? "/", base);
  if (url === null || url.origin !== base || !(next ?? "/").startsWith("/")) return "/";
  return /^\/[/\\]/.test(url.pathname) ? "/" : url.pathname + url.search;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
