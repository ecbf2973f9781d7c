// The client in a real browser: what a page shows after it was cut off, offline or asleep.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import {
  chromiumPath,
  launch,
  openPage,
} from "../../../../examples/chicago-status/test/browser.ts";
import { createServer, defineService, type Server } from "../../src/index.ts";
import { FaultProxy } from "../../src/testing/index.ts";
import { bundle, client } from "./bundle.ts";

type Browser = Awaited<ReturnType<typeof launch>>;
type Page = Awaited<ReturnType<typeof openPage>>["page"];

/** Lists what it receives, and how the channel stood. Says back what it got. */
const pageCode = `
  import { connect } from ${JSON.stringify(client)};
  const channel = connect("numbers");
  const list = document.querySelector("#list");
  const states = document.querySelector("#states");
  channel.on("message", (message) => {
    list.append(Object.assign(document.createElement("li"), { textContent: message }));
  });
  const note = (text) => states.append(text + " ");
  channel.on("state", (state) => note(state.type));
  channel.on("resumed", () => note("resumed!"));
  channel.on("rejoined", () => note("rejoined!"));
  window.say = (text) => channel.send(text);
`;
const pageHtml = `<!doctype html><html lang="en"><title>Numbers</title><link rel="icon" href="data:,">
  <ul id="list"></ul><p id="states"></p><script type="module" src="page.js"></script></html>`;

describe.skipIf(chromiumPath === undefined)("the client, in Chromium", () => {
  const heard: string[] = [];
  let folder: string;
  let server: Server;
  let proxy: FaultProxy;
  let browser: Browser;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "windsock-client-"));
    await writeFile(join(folder, "index.html"), pageHtml);
    await writeFile(join(folder, "page.js"), await bundle(pageCode));
    const numbers = defineService({
      handleIncoming: (_client, message) => void heard.push(String(message)),
    });
    server = await createServer({ port: 0, services: { numbers }, publicFolder: folder });
    proxy = await FaultProxy.open(server.port);
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    await proxy.close();
    await server.stop();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => void heard.splice(0));

  async function open(): Promise<Page> {
    const { page } = await openPage(browser, `http://localhost:${proxy.port}/`);
    await state(page, "open");
    return page;
  }

  /** Waits until the channel has been in this state, or had this event. */
  async function state(page: Page, name: string): Promise<void> {
    await page.locator("#states").getByText(name).waitFor();
  }

  function publish(from: number, to: number): void {
    for (let number = from; number <= to; number++) server.broadcast("numbers", `${number}`);
  }

  /** Waits for the last, and gives all. */
  async function listed(page: Page, last: number): Promise<string[]> {
    await page.getByText(`${last}`, { exact: true }).waitFor();
    return page.locator("li").allTextContents();
  }

  const numbersTo = (last: number): string[] =>
    Array.from({ length: last }, (_, index) => `${index + 1}`);

  test("a page that was offline comes back whole, and what was said meanwhile is heard once", async () => {
    const page = await open();
    publish(1, 10);
    await listed(page, 10);
    await page.context().setOffline(true);
    proxy.cut();
    proxy.refuse(true);
    await state(page, "resuming");
    publish(11, 60);
    await page.evaluate("window.say('from the tunnel'), 0");
    proxy.refuse(false);
    await page.context().setOffline(false);
    await state(page, "resumed!");
    publish(61, 70);
    expect(await listed(page, 70)).toEqual(numbersTo(70));
    await expect.poll(() => heard).toEqual(["from the tunnel"]);
    expect(await page.locator("#states").textContent()).not.toContain("rejoined!");
  });

  test("a tab that was asleep when its connection broke comes back whole", async () => {
    const page = await open();
    publish(1, 10);
    await listed(page, 10);
    const session = await page.context().newCDPSession(page);
    onTestFinished(() => session.detach());
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    publish(11, 40);
    proxy.cut();
    publish(41, 60);
    await session.send("Page.setWebLifecycleState", { state: "active" });
    expect(await listed(page, 60)).toEqual(numbersTo(60));
    expect(await page.locator("#states").textContent()).not.toContain("rejoined!");
  });
});
