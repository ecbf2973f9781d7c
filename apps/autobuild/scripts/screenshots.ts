// Makes the pictures of the page in docs/ from real builds of small repositories.
//
//     WINDSOCK_CHROMIUM=/usr/bin/chromium node --conditions=@windsock/source apps/autobuild/scripts/screenshots.ts [folder]
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { chromium, type Browser } from "playwright-core";
import UPNG from "upng-js";
import { createAutobuild, type Autobuild } from "../src/autobuild.ts";
import { startServer } from "../src/server.ts";

const docs = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, "../docs"));
const sizes = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 360, height: 740 },
} as const;
const wallSize = { width: 1920, height: 1080 };

const root = mkdtempSync(path.join(tmpdir(), "autobuild-pictures-"));
/** Steps wait for it, so that a build is still running when its picture is taken. */
const gate = path.join(root, "gate");

const people = ["Ada Lovelace", "Grace Hopper", "Margaret Hamilton", "عبد الله الخوارزمي"] as const;

interface Step {
  readonly artifacts?: readonly string[];
  readonly reports?: readonly string[];
  readonly retry?: { readonly times: number };
  readonly name: string;
  readonly run: string;
  readonly needs?: readonly string[];
}

function git(folder: string, args: readonly string[], author: string = people[0]): void {
  execFileSync("git", args, {
    cwd: folder,
    stdio: "ignore",
    env: {
      PATH: process.env["PATH"],
      HOME: root,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: author,
      GIT_AUTHOR_EMAIL: "someone@example.org",
      GIT_COMMITTER_NAME: author,
      GIT_COMMITTER_EMAIL: "someone@example.org",
    },
  });
}

function repository(name: string): string {
  const folder = path.join(root, name);
  mkdirSync(folder);
  git(folder, ["init", "--quiet", "--initial-branch=main"]);
  return folder;
}

function commit(folder: string, message: string, author: string, steps: readonly Step[]): void {
  writeFileSync(path.join(folder, ".autobuild.json"), JSON.stringify({ steps }, null, 2));
  git(folder, ["add", "--all"], author);
  git(folder, ["commit", "--quiet", "--allow-empty", "-m", message], author);
}

/** Prints some lines as a test runner would, for about that long. */
function lines(what: string, count: number, seconds: number): string {
  return (
    `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); ` +
    `printf '\\033[32m✓\\033[0m ${what} %d \\033[2m(%d ms)\\033[0m\\n' $i $((i * 7 % 90)); ` +
    `sleep ${(seconds / count).toFixed(3)}; done`
  );
}

function passing(extra: readonly Step[] = []): Step[] {
  return [
    { name: "install", run: lines("added package", 12, 0.5), needs: [] },
    { name: "lint", run: lines("checked file", 20, 0.3), needs: ["install"] },
    {
      name: "build",
      run: `${lines("compiled module", 24, 0.7)}; mkdir -p dist; seq 20000 > dist/shop.js; seq 900 > dist/shop.css`,
      needs: ["install"],
      artifacts: ["dist/*"],
    },
    { name: "unit tests", run: lines("keeps its promise", 40, 0.9), needs: ["build"] },
    ...extra,
  ];
}

/** What a test runner writes for machines. */
function report(): string {
  const cases = Array.from(
    { length: 40 },
    (_, index) =>
      `<testcase classname='checkout' name='opens page ${index + 1}' time='0.0${index + 10}'/>`,
  );
  return `<testsuite name='checkout'>${cases.join("")}<testcase classname='checkout' name='pays with a card' file='checkout.test.ts' line='41' time='0.31'><failure message='expected &#34;paid&#34;, got &#34;declined&#34;'>at checkout.test.ts:41:7</failure></testcase></testsuite>`;
}

const failing: Step = {
  name: "browser tests",
  reports: ["report.xml"],
  run: `${lines("opens page", 12, 0.3)}; printf '%s' ${JSON.stringify(report()).replaceAll("$", "\\$")} > report.xml; printf '\\033[31m✗ pays with a card\\033[0m\\n  expected "paid"\\n  got      "declined"\\n    at checkout.test.ts:41:7\\n'; exit 1`,
  needs: ["build"],
};
/** Takes so long that there is time to take pictures. */
const slow: Step = { name: "browser tests", run: lines("opens page", 60, 20), needs: ["build"] };
const waiting: Step = {
  ...slow,
  run: `${lines("opens page", 60, 20)}; while [ ! -e '${gate}' ]; do sleep 0.1; done`,
};

/** Waits until nothing runs and nothing waits. */
async function settled({ builds }: Autobuild): Promise<void> {
  for (let quiet = 0; quiet < 4;) {
    await wait(250);
    quiet = builds.running().length + builds.queued().length === 0 ? quiet + 1 : 0;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(50);
}

async function picture(
  browser: Browser,
  url: string,
  name: string,
  {
    viewport,
    scheme = "dark",
    seconds = 1.5,
  }: {
    viewport: { width: number; height: number };
    scheme?: "dark" | "light";
    seconds?: number;
  },
): Promise<void> {
  const context = await browser.newContext({ viewport, colorScheme: scheme });
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(name, error.message));
  await page.goto(url);
  await page.locator("#connection[data-state=live]").waitFor({ state: "attached" });
  await wait(seconds * 1000);
  writeFileSync(path.join(docs, `${name}.png`), ofFewColours(await page.screenshot()));
  await context.close();
}

/** A third of the bytes, and nobody sees the difference. */
function ofFewColours(png: Buffer): Uint8Array {
  const image = UPNG.decode(new Uint8Array(png).buffer);
  return new Uint8Array(UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, 256));
}

mkdirSync(docs, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env["WINDSOCK_CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu"],
});
const [shop, api, docsRepository] = ["shop", "api", "handbook"].map(repository) as [
  string,
  string,
  string,
];
commit(shop, "feat(cart): keep what is in it over a restart", people[0], passing());
commit(api, "fix(orders): count in cents", people[1], passing());
commit(docsRepository, "docs: how to release", people[2], passing().slice(0, 2));
const autobuild = createAutobuild({
  dataDir: path.join(root, "data"),
  repositories: [shop, api, docsRepository],
  concurrency: 2,
  localPollMs: 100,
});
await autobuild.start();
const server = await startServer(autobuild, { host: "127.0.0.1", port: 0 });
const { url } = server;
try {
  await settled(autobuild);
  for (const [index, subject] of [
    "perf(search): ask the index once",
    "refactor(cart): one noun a file",
    "feat(pay): try the second bank",
    "fix(cart): no negative amounts",
  ].entries()) {
    commit(shop, subject, people[index % 3] ?? "", passing(index < 2 ? [] : [slow]));
    await settled(autobuild);
  }
  git(shop, [
    "switch",
    "--quiet",
    "--create",
    "feature/checkout-that-remembers-the-address-of-guests",
  ]);
  for (const subject of [
    "feat(checkout): ask for the address once",
    "fix(checkout): guests too\n\nWho buys without an account was asked for the address at every step. It is kept\nwith the basket now, and goes with it.",
  ]) {
    commit(shop, subject, people[1], passing([failing]));
    await settled(autobuild);
  }
  git(shop, ["switch", "--quiet", "--create", "اتجاه/الدفع", "main"]);
  commit(shop, "إصلاح الدفع بالبطاقة <b>الآن</b>", people[3], passing());
  await settled(autobuild);
  const failed = autobuild.builds.list().find(({ state }) => state === "failed");
  const passed = autobuild.builds.list().find(({ state }) => state === "passed");

  git(shop, ["switch", "--quiet", "main"]);
  commit(shop, "feat(pay): say why a card was declined", people[0], passing([waiting]));
  await until(() => autobuild.builds.running().length > 0);
  git(api, ["switch", "--quiet", "--create", "release/2.4"]);
  commit(api, "build: 2.4.0", people[1], passing([waiting]));
  await until(() => autobuild.builds.running().length === 2);
  for (const subject of ["docs: who is on call", "docs: a glossary"])
    commit(docsRepository, subject, people[2], passing().slice(0, 2));
  await until(() => autobuild.builds.queued().length > 0);
  await wait(4500);
  const running = autobuild.builds.running()[0];
  for (const [size, viewport] of Object.entries(sizes)) {
    await picture(browser, url, `overview-${size}`, { viewport });
    await picture(browser, `${url}/builds/${running?.id}`, `running-build-${size}`, { viewport });
    await picture(browser, `${url}/builds/${failed?.id}`, `failed-build-${size}`, { viewport });
  }
  const { desktop, phone } = sizes;
  const light = { scheme: "light", viewport: phone } as const;
  await picture(browser, `${url}/builds/${running?.id}`, "running-build-light-phone", light);
  await picture(browser, `${url}/builds/${failed?.id}`, "failed-build-light-phone", light);
  await picture(browser, `${url}/wall`, "wall-light-phone", light);
  await picture(browser, `${url}/builds/${passed?.id}`, "passed-build-light-desktop", {
    viewport: desktop,
    scheme: "light",
  });
  await picture(browser, `${url}/builds/${failed?.id}#about`, "about-build-desktop", {
    viewport: desktop,
  });
  await picture(browser, `${url}/wall`, "wall-desktop", { viewport: wallSize });
  await picture(browser, `${url}/wall`, "wall-phone", { viewport: phone });
  writeFileSync(gate, "");
  await settled(autobuild);
} finally {
  writeFileSync(gate, "");
  await server.stop();
  await autobuild.stop();
  await browser.close();
  rmSync(root, { recursive: true, force: true });
}
