import type { Build } from "../build/build.ts";
import type { Repository } from "../build/repository.ts";
import type { BuildsEvent } from "../websocket/builds.ts";
import { BuildHead } from "./build-head.ts";
import { BuildList } from "./build-list.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { ConsoleView } from "./console-view.ts";
import { make, part, setText } from "./dom.ts";
import { stateOf } from "./format.ts";
import { KnownBuilds } from "./known-builds.ts";
import { remember, remembered } from "./memory.ts";
import { RepositoryFilter } from "./repository-filter.ts";
import { showTab } from "./tab.ts";
import { drawTrend } from "./trend.ts";

/** How often the page asks whether the server is still there, and how long it waits for an answer. */
const beatMs = 15_000;
const patienceMs = 10_000;

const parts = {
  connection: part("connection"),
  announcer: part("announcer"),
  problems: part("problems"),
  toggle: part<HTMLButtonElement>("toggle-builds"),
  trend: part("trend"),
  trendText: part("trend-text"),
  noBuilds: part("no-builds"),
  older: part<HTMLButtonElement>("older"),
  note: part("log-note"),
  cutLink: part<HTMLAnchorElement>("cut-link"),
  scroller: part("scroller"),
  pre: part("status"),
  wrap: part<HTMLButtonElement>("wrap"),
  favicon: part<HTMLLinkElement>("favicon"),
};
const list = new BuildList(part("builds"));
const view = new ConsoleView({
  scroller: parts.scroller,
  pre: parts.pre,
  toEnd: part<HTMLButtonElement>("to-end"),
  cut: part("cut"),
});
const head = new BuildHead(({ name, command }) => {
  view.show(`=== step ${name}: ${command.split("\n", 1)[0]}`);
});

const filter = new RepositoryFilter(part("filter"), draw);

const builds = new KnownBuilds();
let hasSnapshot = false;
let repositories: Repository[] = [];
let refusal: string | undefined;
/** The build that somebody asked to have again: the page goes to the new one as soon as it is there. */
let repeatedId: number | undefined;
/** The server's clock less this one: times are the server's. */
let clockSkewMs = 0;
/** Undefined: live, whatever is built. */
let selectedId: number | undefined;
let log: Connection | undefined;

const states = { events: "connecting" as ConnectionState, log: "live" as ConnectionState };
let offlineSinceMs: number | undefined;
let silence: number | undefined;

const events = new Connection({
  path: () => "/websocket/builds",
  handleMessage(text) {
    clearTimeout(silence);
    handleEvent(JSON.parse(text) as BuildsEvent);
  },
  handleState: (state) => showConnection("events", state),
});

addEventListener("hashchange", select);
part("rebuild").addEventListener("click", () => ask("rebuild"));
part("cancel").addEventListener("click", () => ask("cancel"));
part("skip").addEventListener("click", (event) => {
  event.preventDefault();
  parts.scroller.focus();
});
parts.older.addEventListener("click", () => void showOlder());
parts.toggle.addEventListener("click", () => showList(!isListShown()));
parts.wrap.addEventListener("click", () =>
  wrap(parts.wrap.getAttribute("aria-pressed") !== "true"),
);
wrap(remembered("wrap") !== "no");
setInterval(draw, 1000);
setInterval(beat, beatMs);
select();

function handleEvent(event: BuildsEvent): void {
  switch (event.type) {
    case "snapshot":
      clockSkewMs = event.nowMs - Date.now();
      hasSnapshot = true;
      builds.snapshot(event.builds);
      repositories = [...event.repositories];
      openLog();
      break;
    case "build":
      announce(event.build);
      builds.change(event.build);
      if (event.build.state === "queued" && event.build.causeBuildId === repeatedId)
        location.hash = `#build-${event.build.id}`;
      break;
    case "repository":
      repositories = [
        ...repositories.filter(({ id }) => id !== event.repository.id),
        event.repository,
      ];
      break;
    case "refused":
      refusal = event.message;
      break;
    case "branch":
    case "queue":
    case "pong":
      return;
  }
  draw();
}

/** Shows the build that the address names, or what is live. */
function select(): void {
  const id = /^#build-(\d+)$/.exec(location.hash)?.[1];
  selectedId = id === undefined ? undefined : Number(id);
  refusal = repeatedId = undefined;
  showList(false);
  log?.close();
  log = undefined;
  view.clear();
  openLog();
  draw();
}

/** Follows the log that is shown, once it is known that there is one. */
function openLog(): void {
  if (log === undefined) showConnection("log", "live");
  if (selectedId === undefined) log ??= followLive();
  else if (builds.get(selectedId) !== undefined) log ??= followBuild(selectedId);
  else if (hasSnapshot) void find(selectedId);
}

function followLive(): Connection {
  return new Connection({
    path: () => "/websocket/status",
    // It begins anew with the running build's first line.
    handleOpen: () => view.clear(),
    handleMessage: (text) => view.append(text),
    handleState: (state) => showConnection("log", state),
  });
}

function followBuild(id: number): Connection {
  const encoder = new TextEncoder();
  let offset = 0;
  return new Connection({
    path: () => `/websocket/log/${id}?from=${offset}`,
    handleMessage(text) {
      offset += encoder.encode(text).length + 1;
      view.append(text);
    },
    handleState: (state) => showConnection("log", state),
  });
}

/** An old build that is not in the list. */
async function find(id: number): Promise<void> {
  const answer = await fetch(`/api/builds/${id}`).catch(() => undefined);
  // Without an answer there is no connection, and with the next one this is asked again.
  const build = answer?.ok === true ? ((await answer.json()) as Build) : undefined;
  if (selectedId !== id || answer === undefined) return;
  if (build === undefined) refusal = `There is no build ${id}.`;
  else {
    builds.found(build);
    openLog();
  }
  draw();
}

async function showOlder(): Promise<void> {
  const before = builds.listed.at(-1)?.id ?? 0;
  parts.older.disabled = true;
  const answer = await fetch(`/api/builds?before=${before}`).catch(() => undefined);
  parts.older.disabled = false;
  if (answer?.ok === true) builds.older(((await answer.json()) as { builds: Build[] }).builds);
  draw();
}

function shown(): Build | undefined {
  return selectedId === undefined ? builds.live : builds.get(selectedId);
}

function ask(type: "rebuild" | "cancel"): void {
  const build = shown();
  if (build === undefined) return;
  const isSent = events.send({ type, id: build.id });
  refusal = isSent
    ? undefined
    : "There is no connection to the server now. Try again when the page is live.";
  if (isSent && type === "rebuild") repeatedId = build.id;
  draw();
}

/** A network that breaks does not always tell: no answer is the only sign. */
function beat(): void {
  if (document.visibilityState === "hidden" || !events.send({ type: "ping" })) return;
  clearTimeout(silence);
  silence = window.setTimeout(() => {
    events.drop();
    log?.drop();
  }, patienceMs);
}

function draw(): void {
  // Without a connection nobody knows how long a build has been running: time stands still.
  const nowMs = (offlineSinceMs ?? Date.now()) + clockSkewMs;
  const build = shown();
  filter.show(repositories, builds.listed);
  const listed = filter.of(builds.listed);
  list.show(listed, { selectedId: build?.id, hasRepositories: repositories.length > 1 }, nowMs);
  parts.noBuilds.hidden = !hasSnapshot || listed.length > 0;
  setText(
    parts.noBuilds,
    `No builds yet. Each new commit is built as soon as it is there, of: ${repositories.map(({ label }) => label).join(", ")}`,
  );
  parts.older.hidden = !builds.hasOlder;
  setText(parts.toggle, `Builds (${listed.length})`);
  drawTrend(parts.trend, parts.trendText, listed, nowMs);
  drawProblems();
  drawNote(build);
  head.show(build, selectedId, builds.listed, nowMs);
  showTab(parts.favicon, build);
}

function drawProblems(): void {
  const problems = repositories.flatMap(({ name, state }) =>
    state.type === "unreachable" ? [[`${name} cannot be reached`, state.message]] : [],
  );
  if (refusal !== undefined) problems.push([refusal, ""]);
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

/** What stands in place of a log that is not there. */
function drawNote(build: Build | undefined): void {
  let note = "";
  if (build?.state === "queued")
    note = "This build waits for its turn. Its log begins when it starts.";
  else if (build !== undefined && build.startedMs === null)
    note = "This build never started, so it has no log.";
  else if (build === undefined && selectedId === undefined && hasSnapshot)
    note = "What is built appears here, line by line, while it is built.";
  setText(parts.note, note);
  parts.note.hidden = note === "";
  if (build !== undefined) parts.cutLink.href = `/builds/${build.id}/log`;
}

/** Says the end of a build to those who do not see the page. */
function announce(build: Build): void {
  if (builds.get(build.id)?.state !== "running" || build.state === "running") return;
  setText(parts.announcer, `Build ${build.id} of ${build.repository} ${stateOf(build)}`);
}

/** Live is what both sockets are: a list without its log is not. */
function showConnection(which: keyof typeof states, state: ConnectionState): void {
  states[which] = state;
  const both = Object.values(states);
  const worst = both.find((one) => one === "offline") ?? both.find((one) => one !== "live");
  offlineSinceMs = worst === "offline" ? (offlineSinceMs ?? Date.now()) : undefined;
  parts.connection.dataset["state"] = worst ?? "live";
  const since =
    offlineSinceMs === undefined ? "" : new Date(offlineSinceMs).toLocaleTimeString("en-GB");
  setText(
    parts.connection,
    worst === "offline" ? `offline since ${since}, retrying` : (worst ?? "live"),
  );
  document.body.dataset["connection"] = worst ?? "live";
  draw();
}

function isListShown(): boolean {
  return parts.toggle.getAttribute("aria-expanded") === "true";
}

/** On a narrow page the list makes room for the log until it is asked for. */
function showList(isShown: boolean): void {
  parts.toggle.setAttribute("aria-expanded", String(isShown));
}

function wrap(isOn: boolean): void {
  parts.wrap.setAttribute("aria-pressed", String(isOn));
  parts.pre.classList.toggle("unwrapped", !isOn);
  remember("wrap", isOn ? "yes" : "no");
}
