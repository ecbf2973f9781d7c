import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { consoleText, hasBrowser, logEnds, openPage, useBrowser } from "../support/browser.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { Watcher } from "../support/watcher.ts";

const markup =
  '<script>alert("script")</script><img src=x onerror=alert("img")><svg onload=alert("svg")></svg>&lt;b&gt;</pre><h1>out</h1>';

/** Git takes no angle brackets in a name. */
const author = '&lt;b&gt;Mallory" onclick="alert(1)';

describe("what comes from a repository", () => {
  test("a branch that reads as an option of git is built, and is no option", async () => {
    const witness = path.join(temporaryFolder(), "ran");
    const repository = new TestRepository(steps("echo fine"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const branches = [
      "--upload-pack=x",
      `--exec=touch${"${IFS}"}${witness}`,
      "-",
      "--",
      "$(id)",
      "a;id",
      "'",
    ];
    let id = 1;
    for (const branch of branches) {
      // `git branch` refuses some of these names; whoever writes the ref itself does not ask it.
      const sha = repository.commitSteps(`on ${branch}`, 'printf "%s\\n" "$AUTOBUILD_BRANCH"');
      repository.git("update-ref", `refs/heads/${branch}`, sha);
      id += 2;
      const built = [await program.buildEnded(id - 1), await program.buildEnded(id)];
      expect(built.map(({ state }) => state)).toEqual(["passed", "passed"]);
      expect(built.map((build) => build.branch).toSorted()).toEqual([branch, "main"].toSorted());
      const own = built.find((build) => build.branch === branch)!;
      expect(program.logOf(own.id)).toContain(`\n${branch}\n`);
    }
    expect(existsSync(witness)).toBe(false);
    expect(program.errors).toBe("");
  }, 120_000);

  test("lines without end, without encoding and with NUL come to plain clients as the log has them", async () => {
    const program = await Program.start([hostileRepository().folder]);
    expect(await program.buildEnded(1)).toMatchObject({ state: "passed" });
    const watcher = await Watcher.open(`${program.url}/websocket/status`);
    await watcher.seen("the build", ({ log }) => log === program.logOf(1));
    expect(watcher.log).toContain(`\n${markup}\n`);
    expect(watcher.log).toContain("\ninvalid \ufffd\ufffd end\n");
    expect(watcher.log).toContain("\nnul \0 nul\n");
    // A line of 1 MiB is there to its last character, in pieces.
    expect(watcher.log.match(/y/g)?.length).toBeGreaterThanOrEqual(1024 * 1024);
    expect(Math.max(...watcher.log.split("\n").map((line) => line.length))).toBeLessThanOrEqual(
      16 * 1024,
    );
  });

  describe.skipIf(!hasBrowser)("in Chromium (needs it: set WINDSOCK_CHROMIUM)", () => {
    useBrowser();

    test("runs nothing, adds no element, and leaves the page in use", async () => {
      const repository = hostileRepository();
      const program = await Program.start([repository.folder]);
      await program.buildEnded(1);
      // A dialog or an error fails the test.
      const page = await openPage(program.url);
      await logEnds(page, "=== build 1 passed");
      const text = await consoleText(page);
      expect(text).toContain(`\n${markup}\n`);
      expect(text).toContain("\ninvalid \ufffd\ufffd end\n");
      expect(text).toContain("\nnul \ufffd nul\n");
      // Of what steers a terminal nothing is left: no title, no link, no cleared screen, no moved cursor.
      expect(text).toContain("\nescapes: link gone up bell\ufffd red\n");
      expect(text).toContain("\nunfinished \ufffd\n");
      // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
      expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);

      const foreign = (): Promise<number> =>
        page.evaluate(
          () =>
            document.querySelectorAll(
              "script:not([src]), img, svg:not(.spark), iframe, h1 ~ h1, #status :not(span)",
            ).length,
        );
      expect(await foreign()).toBe(0);
      expect(await page.locator("#log-title").textContent()).toBe(`#1 ${markup}`);
      expect(await page.locator("#branches .subject").textContent()).toBe(markup);
      expect(await page.locator("#branches .author").textContent()).toBe(author);
      expect(await page.title()).toBe("✓ passed · project · AutoBuild");
      await page.locator("#branches a").click();
      await page.locator("#build-title", { hasText: markup }).waitFor();
      expect(await page.locator(".timeline .name").first().textContent()).toBe(
        `<i onclick="alert(1)">step</i>`,
      );
      expect(await page.locator(".build-head").textContent()).toContain(author);
      expect(await foreign()).toBe(0);
      await page.goto(`${program.url}/wall`);
      await page.locator(".tile", { hasText: markup }).waitFor();
      expect(await foreign()).toBe(0);
      await page.goto(program.url);

      // It goes on, and can be used.
      repository.commitSteps("Then", "echo fine");
      await logEnds(page, "=== build 2 passed");
      await page.goto(`${program.url}/builds/1`);
      await page.locator("#build-raw").click();
      await page.waitForURL(`${program.url}/builds/1/log`);
      // The raw log is text, and is shown as such.
      expect(await page.evaluate(() => document.contentType)).toBe("text/plain");
      expect(await page.locator("script, img, svg").count()).toBe(0);
    });

    test("a repository that is out of reach is a problem on the page, in git's words and as text", async () => {
      const program = await Program.start([
        "http://127.0.0.1:9/<img%20src=x%20onerror=alert(1)>.git",
        new TestRepository(steps("echo fine")).folder,
      ]);
      const page = await openPage(program.url);
      await page.getByText("cannot be reached").waitFor();
      await page.getByText("git ls-remote exited with 128").waitFor();
      expect(await page.locator("#problems img").count()).toBe(0);
      await logEnds(page, "=== build 1 passed");
    });
  });
});

function hostileRepository(): TestRepository {
  const repository = new TestRepository();
  const output = [
    `${markup}\n`,
    "escapes: \u001B]0;title\u0007\u001B]8;;javascript:alert(1)\u001B\\link\u001B]8;;\u001B\\\u001B[2J\u001B[H gone\u001B[1A up bell\u0007 \u001B[31mred\u001B[0m\n",
    "unfinished \u001B\n",
    "nul \0 nul\n",
    "invalid \u00ff\u00fe end\n",
    `${"y".repeat(1024 * 1024)}\n`,
    `${"\u001B[31mz\u001B[0m".repeat(20_000)}\n`,
    "\u009b31mC1 \u0085 \u2028 \u202e\n",
  ];
  const binary = Buffer.concat(
    output.map((text) => Buffer.from(text, text.startsWith("invalid") ? "latin1" : "utf8")),
  );
  writeFileSync(path.join(repository.folder, "output.bin"), binary);
  writeFileSync(
    path.join(repository.folder, ".autobuild.json"),
    JSON.stringify({ steps: [{ name: `<i onclick="alert(1)">step</i>`, run: "cat output.bin" }] }),
  );
  repository.git("add", "--all");
  repository.git("commit", "--quiet", "--author", `${author} <m@example.org>`, "-m", markup);
  return repository;
}
