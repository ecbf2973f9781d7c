import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { localPath } from "../../src/http/login.ts";
import { pages } from "../../src/pages.ts";
import { hasBrowser, openPage, useBrowser } from "../support/browser.ts";
import { Doors, password } from "../support/doors.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";
import { upgradeStatus, Watcher } from "../support/watcher.ts";

/** What stands open, and why. */
const open = new Set(["/login", "/logout", "/login.css", "/healthz"]);

/** Checked by a signature of the sender's. */
const signed = /^\/hooks\//;

describe("no door is without a check", () => {
  test("every HTTP route refuses who has not logged in, and whoever adds one gets that too", async () => {
    const doors = await Doors.open();
    const app = await pages(doors.autobuild);
    const routes = new Map<string, Set<string>>();
    for (const { method, path } of app.routes) {
      const filled = path.replace(/:\w+(\{[^/]*\})?/g, "1");
      if (open.has(path) || signed.test(path) || path.includes("*")) continue;
      routes.set(filled, (routes.get(filled) ?? new Set()).add(method === "ALL" ? "GET" : method));
    }
    expect(routes.size).toBeGreaterThan(5);
    for (const [path, methods] of routes)
      for (const method of new Set([...methods, "GET", "DELETE"])) {
        const answer = await doors.fetch(path, { method });
        expect([method, path, answer.status]).toEqual([method, path, 401]);
        expect(answer.headers.get("content-type")).toBe("application/problem+json");
        expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="AutoBuild"');
        const refused = await doors.fetch(path, { method, token: "unknown" });
        expect([method, path, refused.status]).toEqual([method, path, 401]);
        // Reading is for viewers, everything else for builders at least.
        if (method === "GET") continue;
        const asViewer = await doors.fetch(path, { method, token: "viewer" });
        expect([method, path, asViewer.status]).toEqual([method, path, 403]);
      }
  });

  test("who may read without a login and asks for more is told to log in, and how", async () => {
    const doors = await Doors.open({ anonymous: "viewer" });
    const answer = await doors.fetch("/api/builds/1/cancel", { method: "POST" });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([
      401,
      'Bearer realm="AutoBuild"',
    ]);
    expect(await answer.json()).toMatchObject({ code: "HTTP_UNAUTHORIZED" });
  });

  test("every WebSocket service refuses who has not logged in, whichever way they come", async () => {
    const repository = new TestRepository(steps("true"));
    const doors = await Doors.open({ repositories: [repository.folder] });
    await doors.autobuild.start();
    await until("there is a build", () => doors.autobuild.builds.get(1) !== undefined);
    const routes = doors.server.routes();
    expect(routes.length).toBeGreaterThan(2);
    for (const { path } of routes) {
      const url = doors.server.url + path.replace(":log", "setup").replace(/:\w+/g, "1");
      const as = (headers: Record<string, string>): Promise<number> =>
        upgradeStatus(url, { headers });
      expect([path, await as({})]).toEqual([path, 401]);
      expect([path, await as({ Authorization: "Bearer unknown" })]).toEqual([path, 401]);
      expect([path, await as({ Cookie: "windsock_session=x; autobuild_00000000=x.y" })]).toEqual([
        path,
        401,
      ]);
      // A log that is not there yet is one for those who may look.
      expect([path, await as({ Authorization: `Bearer ${doors.tokens["viewer"]}` })]).toEqual([
        path,
        expect.toBeOneOf([101, 404]),
      ]);
    }
  });
});

describe("a session", () => {
  test("reads pages and sockets, and a viewer's builds nothing", async () => {
    const repository = new TestRepository(steps("true"));
    const doors = await Doors.open({ repositories: [repository.folder] });
    await doors.addUser("ann", "viewer");
    await doors.autobuild.start();
    await until("there is a build", () => doors.autobuild.builds.get(1) !== undefined);
    const Cookie = await doors.login("ann", password);
    expect((await doors.fetch("/api/builds", { headers: { Cookie } })).status).toBe(200);
    const watcher = await Watcher.open(`${doors.server.url}/websocket/builds`, {
      headers: { Cookie },
      origin: doors.server.url,
    });
    watcher.send({ type: "rebuild", id: 1 });
    watcher.send({ type: "cancel", id: 1 });
    await watcher.seen(
      "both refusals",
      ({ events }) => events.filter(({ type }) => type === "refused").length === 2,
    );
    expect(watcher.events.find(({ type }) => type === "refused")?.["message"]).toBe(
      "Expected somebody who is at least builder, got ann (viewer). An admin of the machine can change that: `autobuild user --help`.",
    );
    expect(doors.autobuild.builds.list()).toHaveLength(1);
  });

  test("that ends does nothing more, on sockets that are still open", async () => {
    const doors = await Doors.open({ accessCheckMs: 3_600_000 });
    await doors.addUser("ann", "builder");
    const Cookie = await doors.login("ann", password);
    const watcher = await Watcher.open(`${doors.server.url}/websocket/builds`, {
      headers: { Cookie },
    });
    await watcher.seen("the snapshot", ({ events }) => events.length === 1);
    const out = await doors.fetch("/logout", {
      method: "POST",
      headers: { Cookie, Origin: doors.server.url },
    });
    expect([out.status, out.headers.get("location")]).toEqual([303, "/login"]);
    watcher.send({ type: "rebuild", id: 1 });
    await watcher.seen("the refusal", ({ events }) => events.at(-1)?.type === "refused");
    expect((await doors.fetch("/api/builds", { headers: { Cookie } })).status).toBe(401);
  });

  test("that ends closes its sockets soon", async () => {
    const doors = await Doors.open({ accessCheckMs: 10 });
    await doors.addUser("ann", "builder");
    const headers = { Cookie: await doors.login("ann", password), Origin: doors.server.url };
    const watcher = await Watcher.open(`${doors.server.url}/websocket/builds`, { headers });
    await doors.fetch("/logout", { method: "POST", headers });
    await watcher.seen("the end", ({ closed }) => closed !== undefined);
    expect(watcher.closed?.code).toBe(4401);
  });

  test("that cannot be checked, as the store cannot be read, ends neither sockets nor the server", async () => {
    const doors = await Doors.open({ accessCheckMs: 10 });
    const watcher = await Watcher.open(`${doors.server.url}/websocket/builds`, {
      headers: { Authorization: `Bearer ${doors.tokens["viewer"]}` },
    });
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const renew = vi.spyOn(doors.autobuild.auth, "renew").mockImplementation(() => {
      throw new Error("disk I/O error");
    });
    onTestFinished(() => void vi.restoreAllMocks());
    await until("it was tried", () => said.mock.calls.length > 1);
    expect(said.mock.calls[0]).toEqual([
      "autobuild: Nobody's access could be checked: disk I/O error",
    ]);
    expect(watcher.closed).toBeUndefined();
    renew.mockRestore();
    doors.accounts.removeToken("viewer");
    await watcher.seen("the end", ({ closed }) => closed?.code === 4401);
  });

  test("is no use to a page of another site, and neither is a port that asks for no login", async () => {
    const doors = await Doors.open({ anonymous: undefined, tokens: {} });
    const post = (headers: Record<string, string>): Promise<Response> =>
      doors.fetch("/api/builds/1/cancel", { method: "POST", headers });
    for (const headers of [
      { Origin: "http://evil.example" },
      { Origin: "null" },
      { Origin: doors.server.url.replace("127.0.0.1", "localhost") },
      { Origin: doors.server.url.replace("http:", "https:") },
      { "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "same-site" },
      { Cookie: "any=1" },
    ]) {
      const answer = await post(headers);
      expect([headers, answer.status]).toEqual([headers, 403]);
      expect(await answer.json()).toMatchObject({
        status: 403,
        code: expect.stringMatching(/^HTTP_(FOREIGN_ORIGIN|COOKIE_WITHOUT_ORIGIN)$/),
      });
    }
    for (const headers of [{}, { Origin: doors.server.url }, { "Sec-Fetch-Site": "same-origin" }])
      expect([headers, (await post(headers)).status]).toEqual([headers, 404]);
  });
});

describe("the login", () => {
  test("is where a browser is led, and leads back", async () => {
    const doors = await Doors.open();
    await doors.addUser("ann", "viewer");
    const led = await doors.fetch("/builds/7?x=1", { headers: { Accept: "text/html,*/*" } });
    expect([led.status, led.headers.get("location")]).toEqual([
      303,
      "/login?next=%2Fbuilds%2F7%3Fx%3D1",
    ]);
    const answer = await doors.fetch("/login", {
      method: "POST",
      headers: { Origin: doors.server.url },
      body: new URLSearchParams({ name: "ann", password, next: "/builds/7?x=1" }),
    });
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/builds/7?x=1"]);
  });

  test.each([
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "",
    "x",
    "/..//evil.example",
  ])("leads nowhere else: %j", (next) => {
    expect(localPath(next)).toMatch(/^\/(?![/\\])/);
    expect(localPath(next)).not.toMatch(/^https?:/);
  });

  test("says what is wrong in words that tell nothing about users, and when to try again", async () => {
    const doors = await Doors.open();
    await doors.addUser("ann", "viewer");
    const login = (name: string): Promise<Response> =>
      doors.fetch("/login", {
        method: "POST",
        headers: { Origin: doors.server.url },
        body: new URLSearchParams({ name, password: "wrong" }),
      });
    const texts = [];
    for (const name of ["ann", "bob"]) {
      const answer = await login(name);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("set-cookie")).toBeNull();
      texts.push((await answer.text()).replaceAll(name, "NAME"));
    }
    expect(texts[0]).toBe(texts[1]);
    for (let index = 0; index < 8; index++) await login("");
    const late = await login("ann");
    expect(late.status).toBe(429);
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(800);
    expect(await late.text()).toContain("Try again in 15 minutes.");
    // What somebody typed is text.
    const hostile = await (await login(`"><script>alert(1)</script>`)).text();
    expect(hostile).not.toContain("<script>");
  }, 120_000);

  test("takes a form of bounded size from its own page only", async () => {
    const doors = await Doors.open();
    const post = (body: string, Origin: string): Promise<Response> =>
      doors.fetch("/login", {
        method: "POST",
        headers: { Origin, "Content-Type": "application/x-www-form-urlencoded" },
        body,
      });
    expect((await post("name=x", "http://evil.example")).status).toBe(403);
    expect((await post(`name=${"x".repeat(9000)}`, doors.server.url)).status).toBe(413);
  });

  describe.skipIf(!hasBrowser)("in Chromium (needs it: set WINDSOCK_CHROMIUM)", () => {
    useBrowser();

    test("works with the keyboard alone, without script, and axe finds nothing, in light and dark", async () => {
      const doors = await Doors.open();
      await doors.addUser("ann", "builder");
      const page = await openPage(`${doors.server.url}/wall`);
      expect(page.url()).toBe(`${doors.server.url}/login?next=%2Fwall`);
      const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        // The page's policy lets no script in; the test's own goes around it.
        const violations = await page
          .evaluate(
            async (source: string) => {
              // oxlint-disable-next-line no-implied-eval -- what a debugger evaluates, the policy does not see
              new Function(source)();
              const { violations: found } = await (
                window as unknown as { axe: { run(): Promise<{ violations: { id: string }[] }> } }
              ).axe.run();
              return found.map(({ id }) => id);
            },
            readFileSync(axe, "utf8"),
          )
          .catch((error: unknown) => [String(error)]);
        expect([colorScheme, violations]).toEqual([colorScheme, []]);
      }
      await page.locator("#name").focus();
      await page.keyboard.type("ann");
      await page.keyboard.press("Tab");
      await page.keyboard.type("wrong");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").waitFor();
      expect(await page.title()).toBe("Error: Log in · AutoBuild");
      expect(await page.locator("#name").inputValue()).toBe("ann");
      await page.locator("#password").focus();
      await page.keyboard.type(password);
      await page.keyboard.press("Enter");
      await page.waitForURL(`${doors.server.url}/wall`);
      await page.goto(`${doors.server.url}/login`);
      await page.getByText("You are logged in as ann (builder).").waitFor();
      await page.getByRole("button", { name: "Log out" }).click();
      await page.getByRole("button", { name: "Log in" }).waitFor();
      await page.setViewportSize({ width: 320, height: 640 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
        320,
      );
    });
  });
});
