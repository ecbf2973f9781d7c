import type { Build } from "../build/build.ts";
import { Attention } from "./attention.ts";
import { BranchList } from "./branch-list.ts";
import { BuildList } from "./build-list.ts";
import type { BuildPane } from "./build-pane.ts";
import type { ConnectionState } from "./connection.ts";
import { ConsolePage } from "./console-page.ts";
import { make, part, setAttribute, setText } from "./dom.ts";
import { stateOf } from "./format.ts";
import { timeOfDay } from "./indicator.ts";
import { Model } from "./model.ts";
import { Notifier } from "./notifier.ts";
import { QueueList } from "./queue-list.ts";
import type { Removal } from "./removal.ts";
import { loginPath, Router, type Route } from "./router.ts";
import { Shortcuts } from "./shortcuts.ts";
import { showTab } from "./tab.ts";
import type { Wall } from "./wall.ts";

const parts = {
  connection: part("connection"),
  account: part("account"),
  login: part<HTMLAnchorElement>("login"),
  who: part("who"),
  logout: part("logout"),
  announcer: part("announcer"),
  problems: part("problems"),
  stale: part("stale"),
  noBuilds: part("no-builds"),
  older: part<HTMLButtonElement>("older"),
  build: part("build"),
  wall: part("wall"),
  favicon: part<HTMLLinkElement>("favicon"),
};

let route: Route = { type: "console" };
let refusal: string | undefined;
let statusState: ConnectionState = "live";
/** The build that was asked for and is not there. */
let missingId: number | undefined;
let isDue = false;
/** Whether a part of the page could not be loaded for want of a connection. */
let isPartMissing = false;
/** Fetched when somebody looks at a build, and when somebody puts up the wall. */
let pane: BuildPane | undefined;
let wall: Wall | undefined;
let removal: Removal | undefined;

const attention = new Attention(part("attention"));
const branches = new BranchList(part("branches"), (id) => void askToRemove(id));
const queue = new QueueList(part("queue"), part("queue-title"), part("queued"));
const list = new BuildList(part("builds"));
const consolePage = new ConsolePage((state) => {
  statusState = state;
  drawSoon();
});
const model = new Model({
  handleChange() {
    if (!model.isLive) consolePage.drop();
    // The address says what is looked at, and browsers do not ask again for a script that they did not get.
    else if (isPartMissing) location.reload();
    // Nobody reads there now, or ever touches it: it takes the new page by itself.
    if (model.isOutdated && (route.type === "wall" || document.visibilityState === "hidden"))
      location.reload();
    openLog();
    drawSoon();
  },
  handleBuild: announce,
  handleRow: (row, before) => notifier.tell(row, before),
  handleRefusal,
});
const router = new Router((next) => select(next));
const notifier = new Notifier(part<HTMLButtonElement>("notify"), (path) => router.go(path));
const shortcuts = new Shortcuts(part<HTMLDialogElement>("help"), [
  { key: "o", what: "Overview and what is live", run: () => go("/") },
  { key: "w", what: "Wall", run: () => go("/wall") },
  { key: "j", what: "Next row of the overview", run: () => moveFocus(1) },
  { key: "k", what: "Row before", run: () => moveFocus(-1) },
  { key: "p", what: "The branch's build before this one", run: () => goBeside("older") },
  { key: "n", what: "The branch's next build", run: () => goBeside("newer") },
  { key: "l", what: "To the log", run: focusLog },
  // The log itself listens to these.
  { key: "/", what: "Find in the log", run: () => false },
  { key: "e", what: "To the log's first error, then to the next", run: () => false },
  { key: "t", what: "When the log's lines were printed", run: () => false },
  { key: "r", what: "Build this again", run: () => press("rebuild") },
  {
    key: "R",
    what: "Retry the branches that failed (with Shift)",
    run: () => press("retry-failed"),
  },
  { key: "X", what: "Cancel this build (with Shift)", run: () => press("cancel") },
  { key: "Escape", what: "Leave the wall", run: () => route.type === "wall" && go("/") },
]);

part("help-button").addEventListener("click", () => shortcuts.open());
parts.older.addEventListener("click", () => void showOlder());
document.addEventListener("visibilitychange", () => {
  // Browsers take the lock away from a page that is hidden.
  if (document.visibilityState === "visible") void wall?.stayAwake(route.type === "wall");
});
addEventListener("resize", () => drawSoon());
setInterval(() => {
  openLog();
  draw();
}, 1000);

/** Shows the page that the address names. */
function select(next: Route): void {
  const isOther = next.type !== route.type || idOf(next) !== idOf(route);
  route = next;
  if (isOther) refusal = missingId = undefined;
  // What there is not stands in the place of a build, beside the way to those that there are.
  document.documentElement.dataset["page"] = next.type === "unknown" ? "build" : next.type;
  if (next.type === "console") consolePage.open();
  else consolePage.close();
  parts.build.hidden = next.type !== "build" && next.type !== "unknown";
  parts.wall.hidden = next.type !== "wall";
  if (next.type === "wall" && wall === undefined) void load("wall");
  else void wall?.stayAwake(next.type === "wall");
  if (!parts.build.hidden && pane === undefined) void load("build");
  for (const link of document.querySelectorAll("#top nav a"))
    setAttribute(
      link,
      "aria-current",
      (link as HTMLElement).dataset["route"] === next.type ? "page" : undefined,
    );
  // A step is shown where the log is to be seen.
  draw();
  openLog();
}

/** Follows the log of the build that is shown, once it is known that there is one. */
function openLog(): void {
  const build = route.type === "build" ? model.builds.get(route.id) : undefined;
  if (route.type !== "build") pane?.closeLog();
  else if (build !== undefined && model.hasSnapshot) pane?.openLog(build, route);
  else if (model.hasSnapshot) {
    pane?.closeLog();
    if (missingId !== route.id) void find(route.id);
  }
}

/** What most visitors of the overview never look at is no part of the first load. */
async function load(what: "build" | "wall"): Promise<void> {
  try {
    if (what === "build") pane ??= paneOf(await import("./build-pane.ts"));
    else {
      const module = await import("./wall.ts");
      wall ??= new module.Wall(parts.wall);
      await wall.stayAwake(route.type === "wall");
    }
  } catch {
    isPartMissing = !model.isLive;
    refusal = isPartMissing
      ? "This page appears when the server is back."
      : "A part of the page could not be loaded. Load it anew.";
  }
  draw();
  openLog();
}

/** Asks whether a repository is to be built no more. */
async function askToRemove(id: number): Promise<void> {
  try {
    const module = await import("./removal.ts");
    removal ??= new module.Removal(({ name }) => {
      setText(parts.announcer, `${name} is built no more`);
      // Its button has gone, and with it the place of the focus.
      document.getElementById("main")?.focus();
    });
    const repository = model.repositories.find((one) => one.id === id);
    if (repository !== undefined) removal.open(repository);
  } catch {
    handleRefusal("A part of the page could not be loaded. Load it anew.");
  }
}

function paneOf(module: typeof import("./build-pane.ts")): BuildPane {
  return new module.BuildPane({
    section: parts.build,
    model,
    go,
    handleChange: drawSoon,
    handleRefusal,
    announce: (text) => setText(parts.announcer, text),
  });
}

/** An old build that is not in the list. */
async function find(id: number): Promise<void> {
  missingId = id;
  const answer = await fetch(`/api/builds/${id}`).catch(() => undefined);
  if (idOf(route) !== id) return;
  // Without an answer there is no connection, and with the next one this is asked again.
  if (answer === undefined) missingId = undefined;
  else if (answer.ok) {
    model.builds.found((await answer.json()) as Build);
    missingId = undefined;
    openLog();
  }
  draw();
}

async function showOlder(): Promise<void> {
  const before = model.builds.listed.at(-1)?.id ?? 0;
  parts.older.disabled = true;
  const answer = await fetch(`/api/builds?before=${before}`).catch(() => undefined);
  parts.older.disabled = false;
  if (answer?.ok === true)
    model.builds.older(((await answer.json()) as { builds: Build[] }).builds);
  draw();
}

function idOf(of: Route): number | undefined {
  return of.type === "build" ? of.id : undefined;
}

/** What the page is about: the build that the address names, else what is live. */
function shown(): Build | undefined {
  if (route.type === "unknown") return undefined;
  const id = idOf(route);
  return id === undefined ? model.builds.live : model.builds.get(id);
}

/** Many changes make one picture. Not with a frame alone: hidden pages have none, and their tab tells the state. */
function drawSoon(): void {
  if (isDue) return;
  isDue = true;
  if (document.visibilityState === "hidden") setTimeout(draw, 200);
  else requestAnimationFrame(draw);
}

function draw(): void {
  isDue = false;
  const { nowMs, rows, repositories } = model;
  if (model.hasSnapshot) document.documentElement.dataset["known"] = "";
  drawConnection();
  drawProblems();
  const build = shown();
  const row = build === undefined ? undefined : model.row(build.repositoryId, build.branch);
  const view = { selectedId: idOf(route), mayRemove: model.mayRemove };
  const hasRepositories = repositories.length > 1;
  attention.show(rows, hasRepositories);
  branches.show(rows, repositories, view, nowMs);
  queue.show(model.queue, hasRepositories);
  list.show(model.builds.listed, { selectedId: idOf(route), hasRepositories }, nowMs);
  parts.older.hidden = !model.builds.hasOlder;
  parts.noBuilds.hidden = !model.hasSnapshot || rows.length > 0;
  setText(
    parts.noBuilds,
    `No builds yet. Each new commit is built as soon as it is there, of: ${repositories.map(({ label }) => label).join(", ")}`,
  );
  switch (route.type) {
    case "console":
      consolePage.show(build, row, model.hasSnapshot, nowMs);
      break;
    case "build":
    case "unknown":
      pane?.show(route, build, noteOf(build), nowMs);
      break;
    case "wall":
      wall?.show(rows, staleText(), nowMs);
      break;
  }
  showTab(
    parts.favicon,
    route.type === "build" || route.type === "unknown"
      ? { type: "build", build }
      : { type: "all", rows, live: build },
  );
}

/** Live is what all sockets are: an overview without its console is not. */
function drawConnection(): void {
  let { state, text } = model.indicator;
  if (state === "live" && route.type === "console" && statusState === "offline")
    [state, text] = ["lost", "the console is reconnecting"];
  parts.connection.dataset["state"] = state;
  setText(parts.connection, text);
  document.documentElement.dataset["connection"] = state;
  drawAccount();
  if (model.isRefused) {
    location.assign(loginPath());
    return;
  }
  const stale = staleText();
  parts.stale.hidden = stale === "";
  setText(parts.stale, stale);
}

/** Who looks, and the way in or out. Where everybody may do everything, there is neither. */
function drawAccount(): void {
  const { access } = model;
  parts.account.hidden = access === undefined || (access.name === null && access.role === "admin");
  if (access === undefined) return;
  const isKnown = access.name !== null;
  parts.login.hidden = isKnown;
  setAttribute(parts.login, "href", loginPath());
  parts.who.hidden = parts.logout.hidden = !isKnown;
  setText(parts.who, isKnown ? `${access.name} (${access.role})` : "");
}

function staleText(): string {
  const { lostMs, hasSnapshot } = model;
  return lostMs === undefined || !hasSnapshot ? "" : `As it was at ${timeOfDay(lostMs)}`;
}

function drawProblems(): void {
  const problems = model.repositories.flatMap(({ name, state }) =>
    state.type === "unreachable" ? [[`${name} cannot be reached`, state.message]] : [],
  );
  if (refusal !== undefined) problems.push([refusal, ""]);
  if (model.isOutdated) problems.push(["AutoBuild was updated.", "Load this page anew to use it."]);
  const text = problems.flat().join("\n");
  if (parts.problems.dataset["text"] === text) return;
  parts.problems.dataset["text"] = text;
  parts.problems.replaceChildren(
    ...problems.map(([what = "", why = ""]) => {
      const paragraph = make("p");
      paragraph.title = why;
      paragraph.append(make("b", "", what), why === "" ? "" : ` ${why}`);
      return paragraph;
    }),
  );
}

/** What stands in place of a build or a log that is not there. */
function noteOf(build: Build | undefined): string {
  if (route.type === "unknown")
    return `There is no page ${route.path}. The overview is the way to all that there are.`;
  if (build === undefined)
    return missingId === idOf(route) && model.hasSnapshot
      ? `There is no build ${missingId}.`
      : "Loading…";
  if (build.state === "queued") {
    const place = model.queue.first.find((one) => one.build.id === build.id);
    return `This build is ${place?.reason ?? "waiting for its turn"}. Its log begins when it starts.`;
  }
  return build.startedMs === null ? "This build never started, so it has no log." : "";
}

function handleRefusal(message: string | undefined): void {
  refusal = message;
  drawSoon();
}

/** Says the end of a build to those who do not see the page. */
function announce(build: Build, before: Build | undefined): void {
  if (before?.state !== "running" || build.state === "running") return;
  setText(parts.announcer, `Build ${build.id} of ${build.repository} ${stateOf(build)}`);
}

function go(path: string): true {
  router.go(path);
  return true;
}

function goBeside(which: "older" | "newer"): boolean {
  const build = shown();
  if (route.type !== "build" || build === undefined) return false;
  return pane?.goBeside(build, which) ?? false;
}

/** Moves along the rows of the overview. */
function moveFocus(by: 1 | -1): boolean {
  const links = [
    ...document.querySelectorAll<HTMLElement>("#overview .rows a, #queue a, .tile"),
  ].filter((link) => link.offsetParent !== null);
  const at = links.indexOf(document.activeElement as HTMLElement);
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  next?.focus();
  return next !== undefined;
}

function focusLog(): boolean {
  if (route.type === "console") consolePage.focus();
  else pane?.focusLog();
  return route.type === "console" || route.type === "build";
}

/** A key is a press of the button, where there is one. */
function press(id: "rebuild" | "retry-failed" | "cancel"): boolean {
  const button = document.getElementById(id);
  if (route.type !== "build" || button === null || button.hidden) return false;
  button.click();
  return true;
}
