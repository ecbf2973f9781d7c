import { describe, expect, test } from "vitest";
import { expectAccessible, expectToFit } from "../support/axe.ts";
import { hasBrowser, narrow, openPage, useBrowser } from "../support/browser.ts";
import { Doors, password } from "../support/doors.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";

describe.skipIf(!hasBrowser)("who looks (needs Chromium: set WINDSOCK_CHROMIUM)", () => {
  useBrowser();

  test("logs in and out by keys alone, and is offered what they may do and no more", async () => {
    const repository = new TestRepository(steps("exit 1"));
    const doors = await Doors.open({ repositories: [repository.folder], anonymous: "viewer" });
    await doors.addUser("Ann", "builder");
    await doors.addUser("Vic", "viewer");
    await doors.autobuild.start();
    await until("a build failed", () => doors.autobuild.builds.get(1)?.state === "failed");
    const { url } = doors.server;
    const page = await openPage(`${url}/builds/1#log`);
    const button = (name: string) => page.getByRole("button", { name });

    // Nobody: reads, and is shown the way in.
    await page.locator(".may-not", { hasText: "Log in to build or cancel" }).waitFor();
    expect(await button("Build again").count()).toBe(0);
    expect(await button("Retry failed").count()).toBe(0);
    expect(await button("Log out").count()).toBe(0);
    await expectAccessible(page);
    await page.locator("#login").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}/login?next=%2Fbuilds%2F1#log`);
    await expectAccessible(page);

    const logIn = async (name: string): Promise<void> => {
      await page.getByLabel("User").focus();
      await page.keyboard.type(name);
      await page.keyboard.press("Tab");
      await page.keyboard.type(password);
      await page.keyboard.press("Enter");
      // With the place in the page, of which a server hears nothing.
      await page.waitForURL(`${url}/builds/1#log`);
    };
    await logIn("Vic");
    await page.locator("#who", { hasText: "Vic (viewer)" }).waitFor();
    await page.getByText("Building takes the role builder; Vic is viewer.").waitFor();
    expect(await button("Build again").count()).toBe(0);
    await page.keyboard.press("r");
    await expectAccessible(page);
    await button("Log out").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${url}/login`);

    await page.goto(`${url}/login?next=/builds/1#log`);
    await logIn("Ann");
    await page.locator("#who", { hasText: "Ann (builder)" }).waitFor();
    await button("Retry failed: 1 branch").waitFor();
    await page.setViewportSize(narrow);
    await expectToFit(page);
    await expectAccessible(page);
    await page.keyboard.press("r");
    await page.waitForURL(`${url}/builds/2`);
    await page.locator(".facts", { hasText: "again, after build 1, by Ann" }).waitFor();
    // The viewer's key did nothing.
    expect(doors.autobuild.builds.list()).toHaveLength(2);
  }, 60_000);
});
