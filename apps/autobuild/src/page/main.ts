import type { Build } from "../build/build.ts";
import type { Repository } from "../build/repository.ts";
import type { BuildsEvent } from "../websocket/builds.ts";
import { BuildList } from "./build-list.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { ConsoleView } from "./console-view.ts";
import { duration, elapsedMs, marks, usualMs } from "./format.ts";
import { drawTrend } from "./trend.ts";

const shownBuilds = 50;

function part<Element extends HTMLElement = HTMLElement>(id: string): Element {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Expected an element #${id} in the page, got none.`);
  return element as Element;
}

const parts = {
  connection: part("connection"),
  problems: part("problems"),
  trend: part("trend"),
  noBuilds: part("no-builds"),
  title: part("log-title"),
  liveLink: part<HTMLAnchorElement>("live-link"),
  rawLink: part<HTMLAnchorElement>("raw-link"),
  rebuild: part<HTMLButtonElement>("rebuild"),
  cancel: part<HTMLButtonElement>("cancel"),
  progress: part("progress"),
  progressBar: part("progress-bar"),
  favicon: part<HTMLLinkElement>("favicon"),
};
const list = new BuildList(part("builds"));
const view = new ConsoleView({
  scroller: part("scroller"),
  pre: part("status"),
  toEnd: part<HTMLButtonElement>("to-end"),
  cut: part("cut"),
});

let builds: Build[] = [];
let repositories: Repository[] = [];
let refusal: string | undefined;
/** The server's clock less this one: times are the server's. */
let clockSkewMs = 0;
/** Undefined: live, whatever is built. */
let selectedId: number | undefined;
let log: Connection | undefined;

const events = new Connection({
  path: () => "/websocket/builds",
  handleMessage: (text) => handleEvent(JSON.parse(text) as BuildsEvent),
  handleState: showConnection,
});

addEventListener("hashchange", select);
parts.rebuild.addEventListener("click", () => ask("rebuild"));
parts.cancel.addEventListener("click", () => ask("cancel"));
setInterval(draw, 1000);
select();

function handleEvent(event: BuildsEvent): void {
  switch (event.type) {
    case "snapshot":
      clockSkewMs = event.nowMs - Date.now();
      builds = [...event.builds];
      repositories = [...event.repositories];
      break;
    case "build":
      builds = [event.build, ...builds.filter(({ id }) => id !== event.build.id)]
        .sort((a, b) => b.id - a.id)
        .slice(0, shownBuilds);
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
  }
  draw();
}

/** Shows the build that the address names, or what is live. */
function select(): void {
  const id = /^#build-(\d+)$/.exec(location.hash)?.[1];
  selectedId = id === undefined ? undefined : Number(id);
  log?.close();
  view.clear();
  log = selectedId === undefined ? followLive() : followBuild(selectedId);
  draw();
}

function followLive(): Connection {
  return new Connection({
    path: () => "/websocket/status",
    // It begins anew with the running build's first line.
    handleOpen: () => view.clear(),
    handleMessage: (text) => view.append(text),
  });
}

function followBuild(id: number): Connection {
  const encoder = new TextEncoder();
  let offset = 0;
  return new Connection({
    path: () => `/websocket/log/${id}?from=${offset}`,
    handleMessage: (text) => {
      offset += encoder.encode(text).length + 1;
      view.append(text);
    },
  });
}

function shown(): Build | undefined {
  if (selectedId !== undefined) return builds.find(({ id }) => id === selectedId);
  return (
    builds.find(({ state }) => state === "running") ??
    builds.find(({ startedMs }) => startedMs !== null)
  );
}

function ask(type: "rebuild" | "cancel"): void {
  const build = shown();
  if (build === undefined) return;
  refusal = events.send({ type, id: build.id })
    ? undefined
    : "There is no connection to the server now. Try again when the page is live.";
  draw();
}

function draw(): void {
  const nowMs = Date.now() + clockSkewMs;
  const build = shown();
  list.show(builds, build?.id, nowMs);
  parts.noBuilds.hidden = builds.length > 0;
  drawTrend(parts.trend, builds, nowMs);
  drawProblems();
  drawHead(build, nowMs);
  drawIcon(build);
}

function drawHead(build: Build | undefined, nowMs: number): void {
  const time = build === undefined ? undefined : elapsedMs(build, nowMs);
  const what =
    build === undefined
      ? ""
      : `#${build.id} ${marks[build.state].word}${time === undefined ? "" : ` · ${duration(time)}`}`;
  const usual = build?.state === "running" ? usualMs(build, builds) : undefined;
  const left =
    usual === undefined || time === undefined
      ? ""
      : time < usual
        ? ` · about ${duration(usual - time)} left`
        : " · longer than usual";
  const title = [selectedId === undefined ? "Live" : `Build ${selectedId}`, what + left]
    .filter(Boolean)
    .join(" · ");
  if (parts.title.textContent !== title) parts.title.textContent = title;
  parts.liveLink.hidden = selectedId === undefined;
  parts.rawLink.hidden = build === undefined || build.startedMs === null;
  if (build !== undefined) parts.rawLink.href = `/builds/${build.id}/log`;
  const isOver = build !== undefined && build.state !== "queued" && build.state !== "running";
  parts.rebuild.hidden = !isOver;
  parts.cancel.hidden = build === undefined || isOver;
  parts.progress.hidden = usual === undefined;
  if (usual !== undefined && time !== undefined)
    parts.progressBar.style.width = `${Math.min(97, (100 * time) / usual)}%`;
}

function drawProblems(): void {
  const sentences = repositories.flatMap(({ label, state }) =>
    state.type === "unreachable" ? [`${label}: ${state.message}`] : [],
  );
  if (refusal !== undefined) sentences.push(refusal);
  const text = sentences.join("\n");
  if (parts.problems.dataset["text"] === text) return;
  parts.problems.dataset["text"] = text;
  parts.problems.replaceChildren(
    ...sentences.map((sentence) => {
      const paragraph = document.createElement("p");
      paragraph.textContent = sentence;
      return paragraph;
    }),
  );
}

/** The tab tells the state too, by shape and by word. */
function drawIcon(build: Build | undefined): void {
  const state = build?.state ?? "queued";
  document.title =
    build === undefined
      ? "AutoBuild"
      : `${marks[state].sign} ${marks[state].word} · ${build.repository} · AutoBuild`;
  const colour = {
    passed: "#3ddc5a",
    failed: "#ff6b61",
    running: "#4cc2ff",
    queued: "#c9a94a",
    cancelled: "#a9a9b8",
    lost: "#a9a9b8",
  }[state];
  const shape =
    state === "failed"
      ? '<rect x="2" y="2" width="12" height="12" />'
      : '<circle cx="8" cy="8" r="6" />';
  const icon = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="${colour}">${shape}</svg>`)}`;
  if (parts.favicon.getAttribute("href") !== icon) parts.favicon.href = icon;
}

function showConnection(state: ConnectionState): void {
  const text = { connecting: "connecting", live: "live", offline: "offline, trying again" }[
    state.type
  ];
  parts.connection.dataset["state"] = state.type;
  parts.connection.textContent = text;
}
