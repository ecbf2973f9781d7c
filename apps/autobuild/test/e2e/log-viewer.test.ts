import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { hasBrowser, openPage, useBrowser } from "../support/browser.ts";
import { Gate } from "../support/gate.ts";
import { restingRows, shows } from "../support/log-page.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";

/** The rows that are in the page. */
function rows(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll(".log-row:not(.pinned) .log-text")].map(
      ({ textContent }) => textContent,
    ),
  );
}

describe.runIf(hasBrowser)("the log of a step", () => {
  useBrowser();

  test("is joined while its index is on its way, and followed when both are there", async () => {
    const program = await Program.start([new TestRepository(steps("echo one")).folder]);
    await program.buildEnded(1);
    const page = await openPage(program.url);
    const sent: string[] = [];
    page.on("websocket", (socket) =>
      socket.on("framesent", ({ payload }) => sent.push(String(payload))),
    );
    const index = Promise.withResolvers<undefined>();
    await page.route("**/logs/0.1/index", async (route) => {
      await index.promise;
      await route.continue();
    });
    await page.goto(`${program.url}/builds/1#0`);
    await until("the log is joined", () => sent.some((frame) => frame.includes('"log/1/0.1"')));
    index.resolve(undefined);
    await shows(page, "one");
    expect(sent.filter((frame) => frame.includes('"follow"'))).toHaveLength(1);
  });

  test("is followed live, until the reader moves up, and again from its end on", async () => {
    const gate = new Gate();
    const repository = new TestRepository(
      steps(`seq 1 500; ${gate.wait}; seq 501 600; sleep 0.1; echo end`),
    );
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "500");
    await page.locator(".log-scroller").hover();
    await page.mouse.wheel(0, -400);
    const pill = page.locator(".log-pill");
    await pill.waitFor();
    const before = await restingRows(page);
    gate.open();
    await page.locator(".log-pill", { hasText: /10\d new lines/ }).waitFor();
    expect(await restingRows(page)).toEqual(before);
    await pill.click();
    await shows(page, "end");
    expect(await pill.isHidden()).toBe(true);
    await page.locator(".log-state", { hasText: "complete, checked" }).waitFor();
  }, 120_000);

  test("shows of a progress bar what it shows last, colours, links, and no markup", async () => {
    const repository = new TestRepository(
      steps(
        "printf '10 %%\\r50 %%\\r\\033[32m100 %%\\033[0m\\n'; printf 'a 1\\nb 1\\n\\033[2Aa 2\\nb 2\\n'; printf '<script>alert(1)</script>\\n\\033]8;;https://example.org/x\\033\\\\\\\\link\\033]8;;\\033\\\\\\\\\\n'",
      ),
    );
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "<script>alert(1)</script>");
    const shown = await rows(page);
    expect(shown).toEqual(expect.arrayContaining(["100 %", "a 2", "b 2"]));
    expect(shown).not.toContain("a 1");
    const link = page.locator(".log-text a");
    expect(await link.getAttribute("href")).toBe("https://example.org/x");
    expect(await link.getAttribute("rel")).toContain("noopener");
  }, 120_000);

  test("finds in all of it, at the server, and goes to lines by address", async () => {
    const repository = new TestRepository(steps("seq -f 'line %.0f' 1 60000"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "line 60000");
    await page.keyboard.press("/");
    await page.keyboard.type("line 1234");
    await page.locator(".log-count", { hasText: "1 of 11" }).waitFor();
    await shows(page, "line 1234");
    await page.keyboard.press("Enter");
    await shows(page, "line 12340");
    await page.keyboard.press("Escape");
    await page.goto(`${program.url}/builds/1#0:L30000-L30002`);
    await shows(page, "line 30000");
    expect(await page.locator(".log-row.marked").count()).toBe(3);
    await page.keyboard.press("Home");
  }, 120_000);

  test("copies across what is not on the screen", async () => {
    const repository = new TestRepository(steps("seq 1 3000"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "3000");
    await page.locator(".log-scroller").focus();
    await page.keyboard.press("Control+a");
    const copied = await page.evaluate(() => {
      const data = new DataTransfer();
      document.dispatchEvent(new ClipboardEvent("copy", { clipboardData: data }));
      return data.getData("text/plain");
    });
    expect(copied.trimEnd().split("\n").slice(-3000)).toEqual(
      Array.from({ length: 3000 }, (_, index) => `${index + 1}`),
    );
  }, 120_000);

  // One checkpoint's worth of missing lines was asked for at a time, and forty times at most.
  test("copies more than the page has, once it has fetched it", async () => {
    const program = await Program.start([new TestRepository(steps("seq 1 90000")).folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "90000");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.locator(".log-scroller").focus();
    await page.keyboard.press("Control+a");
    const copy = (): Promise<string> =>
      page.evaluate(() => {
        const data = new DataTransfer();
        document.dispatchEvent(new ClipboardEvent("copy", { clipboardData: data }));
        return data.getData("text/plain");
      });
    expect(await copy()).toBe("");
    await page.locator(".log-note", { hasText: /^Copied|copy once more/ }).waitFor();
    const lines = (await copy()).split("\n").filter((line) => /^\d+$/.test(line));
    expect(lines).toEqual(Array.from({ length: 90_000 }, (_, index) => `${index + 1}`));
  }, 120_000);

  test("goes to its errors by a key, wherever the focus is on the page", async () => {
    const program = await Program.start([
      new TestRepository(steps("seq 1 3000; echo error: one; seq 1 3000; echo error: two")).folder,
    ]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "error: two");
    await page.keyboard.press("e");
    await shows(page, "error: one");
    expect(await page.locator(".log-note").textContent()).toBe("Error 1 of 2, line 3001");
  }, 120_000);

  test("folds groups that have ended, and opens them", async () => {
    const repository = new TestRepository(
      steps("echo ::group::Install; seq 1 20; echo ::endgroup::; echo after"),
    );
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "after");
    const closed = await rows(page);
    expect(closed).toContain("Install");
    expect(closed).not.toContain("7");
    await page.getByRole("button", { name: "Open Install" }).click();
    await shows(page, "7");
  }, 120_000);

  test("holds what was written, byte for byte, after a hundred cuts of the connection", async () => {
    const repository = new TestRepository(
      steps('for i in $(seq 1 400); do seq -f "$i %.0f ü 日本" 1 40; sleep 0.02; done'),
    );
    const program = await Program.start([repository.folder]);
    await program.buildRuns(1);
    const page = await openPage("about:blank");
    await page.addInitScript(() => {
      const sockets: WebSocket[] = [];
      const Native = WebSocket;
      window.WebSocket = class extends Native {
        constructor(url: string | URL, protocols?: string | string[]) {
          super(url, protocols);
          sockets.push(this);
        }
        // A line that is cut takes what is sent and says nothing.
        override send(data: string | BufferSource | Blob): void {
          if (this.readyState === Native.OPEN) super.send(data);
        }
      };
      // No jitter: the waits are as short as they can be.
      const random = Math.random;
      Math.random = () => 0;
      let cuts = 0;
      const timer = setInterval(
        () => {
          const open = sockets.filter(({ readyState }) => readyState === Native.OPEN);
          const socket = open[Math.floor(random() * open.length)];
          if (socket === undefined) return;
          socket.close();
          document.documentElement.dataset["cuts"] = String(++cuts);
          if (cuts === 100) clearInterval(timer);
        },
        20 + 30 * random(),
      );
    });
    await page.goto(`${program.url}/builds/1#0`);
    await page.waitForFunction(() => document.documentElement.dataset["cuts"] === "100");
    await page.locator(".log-state", { hasText: "complete" }).waitFor();
    await page.locator(".log-state", { hasText: "complete, checked" }).waitFor();
    expect(await page.locator(".log-lines").textContent()).toBe("16,000 lines");
  }, 120_000);
});
