import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { hasBrowser, openPage, useBrowser } from "../support/browser.ts";
import { Gate } from "../support/gate.ts";
import { restingRows, shows } from "../support/log-page.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";

/** Whether rows that follow one another cover the log from edge to edge. */
function isCovered(): boolean {
  const { top, bottom } = document.querySelector(".log-scroller")!.getBoundingClientRect();
  const rows = [...document.querySelectorAll<HTMLElement>(".log-row:not(.pinned)")].filter(
    (row) => row.getBoundingClientRect().bottom > top && row.getBoundingClientRect().top < bottom,
  );
  const first = rows[0]?.getBoundingClientRect();
  const last = rows.at(-1)?.getBoundingClientRect();
  return (
    first !== undefined &&
    last !== undefined &&
    first.top <= top + 1 &&
    last.bottom >= bottom - 1 &&
    rows.every(
      (row, at) =>
        !row.classList.contains("loading") &&
        (at === 0 || Number(row.dataset["line"]) === Number(rows[at - 1]?.dataset["line"]) + 1),
    )
  );
}

/** Has the page take so long for each piece that it reads, as it would on a slow machine. 0: as fast as it can. */
function readSlowly(page: Page, ms: number): Promise<void> {
  return page.evaluate((forMs) => {
    const { decode } = TextDecoder.prototype as { decode: (...bytes: unknown[]) => string };
    const store = globalThis as unknown as { decodeMs?: number };
    const isFirst = store.decodeMs === undefined;
    store.decodeMs = forMs;
    if (!isFirst) return;
    TextDecoder.prototype.decode = function (this: TextDecoder, ...bytes) {
      const startMs = performance.now();
      while (performance.now() - startMs < (store.decodeMs ?? 0));
      return decode.apply(this, bytes);
    };
  }, ms);
}

describe.runIf(hasBrowser)("a log that is being written", () => {
  useBrowser();

  test("is gone on with at its end when it comes faster than the page can read", async () => {
    const gate = new Gate();
    const line = `${"\\033[31m#\\033[0m ".repeat(20)}%d`;
    const repository = new TestRepository(
      steps(
        `echo first; ${gate.wait}; awk 'BEGIN { for (i = 1; i <= 150000; i++) printf "${line}\\n", i }'; echo last`,
      ),
    );
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "first");
    await readSlowly(page, 12);
    gate.open();
    await page.locator(".log-state", { hasText: "MiB passed over" }).waitFor({ timeout: 150_000 });
    await readSlowly(page, 0);
    await shows(page, "last");
    await page.locator(".log-lines", { hasText: "150,002 lines" }).waitFor();
    expect(await page.locator(".log-text", { hasText: "first" }).count()).toBe(0);
    await page.locator(".log-scroller").press("Home");
    await shows(page, "first");
  }, 240_000);

  test("says how long its open groups have taken so far, and how long they took", async () => {
    const gate = new Gate();
    const repository = new TestRepository(
      steps(`echo '::group::Install'; ${gate.wait}; echo one; echo '::endgroup::'; echo end`),
    );
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1#0`);
    const note = (pattern: string): Promise<unknown> =>
      page.waitForFunction(
        (wanted) =>
          new RegExp(wanted).test(
            document.querySelector<HTMLElement>(".log-group-note")?.dataset["note"] ?? "",
          ),
        pattern,
      );
    await note(String.raw`^running, [1-9]\d* s$`);
    gate.open();
    await shows(page, "end");
    await note(String.raw`^2 lines, \d+\.\d s$`);
    expect(await page.locator(".log-group-note").count()).toBe(1);
  }, 120_000);

  test("is followed on when the page gives it another height", async () => {
    const gate = new Gate();
    const repository = new TestRepository(
      steps(
        `i=0; while [ ! -e '${gate.file}' ]; do i=$((i + 1)); echo "line $i"; sleep 0.004; done; echo end`,
      ),
    );
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "line 100");
    for (let height = 600; height <= 900; height += 20) {
      await page.setViewportSize({ width: 1280, height });
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
    gate.open();
    await shows(page, "end");
    expect(await page.locator(".log-pill").isHidden()).toBe(true);
  }, 120_000);

  test("is left by a finger that draws it down, and keeps still under the finger", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`seq 1 500; ${gate.wait}; seq 501 600; echo end`));
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "500");
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Emulation.setTouchEmulationEnabled", { enabled: true });
    const box = await page.locator(".log-scroller").boundingBox();
    if (box === null) throw new Error("Expected the log on the screen.");
    const x = box.x + box.width / 2;
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", y?: number): Promise<unknown> =>
      cdp.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: y === undefined ? [] : [{ x, y: box.y + y }],
      });
    await touch("touchStart", 60);
    for (let y = 70; y <= 200; y += 10) await touch("touchMove", y);
    await page.locator(".log-pill").waitFor();
    const before = await restingRows(page);
    gate.open();
    await page.locator(".log-pill", { hasText: /10\d new lines/ }).waitFor();
    expect(await restingRows(page)).toEqual(before);
    await touch("touchEnd");
    await page.locator(".log-pill").click();
    await shows(page, "end");
  }, 120_000);

  test("is at its end when its bar is, with long lines wrapped, and has no hole anywhere", async () => {
    const repository = new TestRepository(
      steps(
        `awk 'BEGIN { for (i = 1; i <= 1000000; i++) { printf "%d", i; if (i % 7 == 0) printf "%900s", "."; printf "\\n" } }'; echo last`,
      ),
    );
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "last");
    await page.getByRole("button", { name: "Wrap" }).click();
    const scroller = page.locator(".log-scroller");
    const drag = (part: number): Promise<void> =>
      scroller.evaluate((element, to) => {
        element.scrollTop = to * (element.scrollHeight - element.clientHeight);
      }, part);
    for (const part of [0.5, 0.001, 0.999]) {
      await drag(part);
      await page.waitForFunction(isCovered);
      const middle = await restingRows(page);
      await scroller.hover();
      for (const y of [130, 300, -300, -130]) {
        await page.mouse.wheel(0, y);
        await restingRows(page);
        await page.waitForFunction(isCovered);
      }
      expect(await restingRows(page)).toEqual(middle);
    }
    await drag(1);
    await shows(page, "last");
    expect(await page.locator(".log-pill").isHidden()).toBe(true);
  }, 120_000);

  test("is told to those who do not see it: lines, what they are, and what is folded", async () => {
    const repository = new TestRepository(
      steps(
        "echo plain; echo ::group::Install; echo inside; echo ::endgroup::; echo 'error: broken'; echo last",
      ),
    );
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0:L1`);
    await shows(page, "last");
    const cdp = await page.context().newCDPSession(page);
    const { nodes } = await cdp.send("Accessibility.getFullAXTree");
    const byId = new Map(nodes.map((node) => [node.nodeId, node]));
    const inOrder = (id: string): typeof nodes => {
      const node = byId.get(id);
      return node === undefined ? [] : [node, ...(node.childIds ?? []).flatMap(inOrder)];
    };
    const seen = inOrder(nodes[0]?.nodeId ?? "").flatMap(({ ignored, role, name, properties }) => {
      if (ignored) return [];
      const expanded = properties?.find((property) => property.name === "expanded")?.value.value;
      const state = expanded === undefined ? "" : ` ${expanded ? "open" : "closed"}`;
      return [`${role?.value} ${name?.value}${state}`];
    });
    expect(seen).toContain("log Output");
    expect(seen).toContain("button Open Install closed");
    expect(seen).toContain("link Line 5, looks like an error");
    const lines = seen.filter((one) => /^link Line|^StaticText (?:plain|error|last)/.test(one));
    expect(lines).toEqual([
      "link Line 1",
      "StaticText plain",
      "link Line 2",
      "link Line 5, looks like an error",
      "StaticText error: broken",
      "link Line 6",
      "StaticText last",
    ]);
    expect(await page.locator('.log-row[aria-current="true"] .log-text').allTextContents()).toEqual(
      ["plain"],
    );
  }, 120_000);
});
