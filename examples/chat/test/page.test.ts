import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer, type Server } from "windsock";
import { VirtualClock } from "windsock/testing";
import {
  chromiumPath,
  expectAccessible,
  launch,
  openPage,
  screens,
} from "../../chicago-status/test/browser.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));

describe.skipIf(chromiumPath === undefined)("the page, in Chromium", () => {
  const clock = new VirtualClock();
  let server: Server;
  let browser: Browser;
  let url: string;
  beforeAll(async () => {
    server = await createServer({
      port: 0,
      services: `${folder}src/websocket`,
      publicFolder: `${folder}public`,
      clock,
    });
    url = `http://localhost:${server.port}/`;
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
  });

  async function enter(page: Page, name: string, room: string): Promise<void> {
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Room").fill(room);
    await page.getByRole("button", { name: "Enter" }).click();
    await page.getByRole("heading", { name: room }).waitFor();
  }

  test("two people talk, see each other type, and a third gets what was said", async () => {
    const ada = await openPage(browser, url);
    const bob = await openPage(browser, url);
    await enter(ada.page, "Ada", "tea");
    await bob.page.getByText("Open: tea (1)").waitFor();
    await enter(bob.page, "Bob", "tea");
    await ada.page.getByText("Here: Ada and Bob").waitFor();

    await ada.page.getByLabel("Message").pressSequentially("hel");
    await bob.page.getByText("Ada is typing…").waitFor();
    await clock.advance(3000);
    await bob.page.getByText("Ada is typing…").waitFor({ state: "hidden" });
    await ada.page.getByLabel("Message").fill("hello");
    await ada.page.getByLabel("Message").press("Enter");
    await bob.page.getByRole("log").getByText("hello").waitFor();
    expect(await ada.page.getByLabel("Message").inputValue()).toBe("");

    const eve = await openPage(browser, url);
    await enter(eve.page, "Eve", "tea");
    await eve.page.getByRole("log").getByText("hello").waitFor();
    await eve.page.close();
    await ada.page.getByText("Here: Ada and Bob", { exact: true }).waitFor();
    expect([...ada.errors, ...bob.errors, ...eve.errors]).toEqual([]);
  });

  test("hostile names and messages are text", async () => {
    const { page, errors } = await openPage(browser, url);
    await enter(page, "<b onclick=x>Eve", "hostile");
    const hostile = `<img src=x onerror="document.title='taken'">`;
    await page.getByLabel("Message").fill(hostile);
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("log").getByText(hostile).waitFor();
    await page.getByText("Here: <b onclick=x>Eve").waitFor();
    expect(await page.locator("img, b[onclick]").count()).toBe(0);
    expect(await page.title()).toBe("Chat");
    expect(errors).toEqual([]);
  });

  test.each(screens)("fits, follows the end and is accessible on a $name", async (screen) => {
    const { page } = await openPage(browser, url, screen);
    await page.getByText(/^(No room is open yet|Open: )/).waitFor();
    await expectAccessible(page);
    await enter(page, "Ada", `talk-${screen.name}`);
    for (let line = 1; line <= 30; line++) {
      await page.getByLabel("Message").fill(`line ${line} ${"wide".repeat(30)}`);
      await page.getByLabel("Message").press("Enter");
    }
    await page.getByText("line 30").waitFor();
    await page.waitForFunction(
      "(() => { const { scrollTop, clientHeight, scrollHeight } = document.getElementById('log'); return scrollTop > 0 && scrollTop + clientHeight >= scrollHeight - 1; })()",
    );
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    expect(await page.evaluate("document.documentElement.scrollHeight <= innerHeight")).toBe(true);
    await expectAccessible(page);
  });
});
