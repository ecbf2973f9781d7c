import { includesRole, type Visitor } from "../auth/role.ts";
import type { BuildDetails } from "../build/build-details.ts";
import { hasEnded, type Build } from "../build/build.ts";
import { progressOf } from "../build/forecast.ts";
import type { BranchRow } from "../build/overview.ts";
import { firstLine } from "../plain-text.ts";
import { showAbout, triggerText } from "./build-about.ts";
import { make, makeMark, makeName, setAttribute, setText } from "./dom.ts";
import { causeText, dateTime, duration, elapsedMs, leftText, marks, stateOf } from "./format.ts";
import { noConnection } from "./model.ts";
import { countText, showArtifacts, showTests, type BuildResults } from "./results.ts";
import { loginPath, type BuildTab } from "./router.ts";
import { drawSparkline, makeSparkline } from "./sparkline.ts";
import { Tabs } from "./tabs.ts";
import { Timeline } from "./timeline.ts";

/** What somebody may do with the build that is shown. */
export interface BuildActions {
  handleRebuild(): void;
  handleRetryFailed(): void;
  handleCancel(): void;
  handleStep(position: number): void;
  handleTab(tab: BuildTab): void;
}

/** What is shown, besides the build itself. */
export interface BuildContext {
  /** 0: the address names none. */
  readonly id: number;
  /** Of the build's branch. */
  readonly row: BranchRow | undefined;
  /** What is said instead of a build that is not there (yet). */
  readonly note: string;
  /** The step whose log is shown. */
  readonly step: number | undefined;
  readonly results: BuildResults | undefined;
  /** Undefined: the tests when some failed, else the log. */
  readonly tab: BuildTab | undefined;
  /** Who looks at the page. */
  readonly access: Visitor | undefined;
  /** Branches of the build's repository that can be retried; undefined while nothing can be asked for. */
  readonly toRetry: number | undefined;
  /** What is told besides; undefined while it is on its way. */
  readonly details: BuildDetails | undefined;
  readonly nowMs: number;
}

/** A build: what it is, how it went, its steps against time, and its log. */
export class BuildPage {
  /** Where the log goes. */
  readonly logContainer: HTMLElement = make("div", "log");
  readonly #section: HTMLElement;
  readonly #head = make("header", "build-head");
  readonly #mark = makeMark();
  readonly #title = make("h2");
  readonly #number = make("span", "number");
  readonly #subject = makeName("subject");
  readonly #state = make("p", "state");
  readonly #bar = make("div", "bar");
  readonly #facts = make("dl", "facts");
  readonly #values = new Map<string, { term: HTMLElement; value: HTMLElement }>();
  readonly #actions = make("div", "actions");
  readonly #rebuild = make("button", "", "Build again");
  readonly #retry = make("button", "", "Retry failed");
  readonly #cancel = make("button", "danger", "Cancel");
  /** In the place of what somebody may not do. */
  readonly #mayNot = make("p", "may-not");
  readonly #login = make("a", "", "Log in");
  readonly #mayNotWhy = make("span");
  readonly #raw = make("a", "button", "Raw log");
  readonly #older = make("a", "button");
  readonly #newer = make("a", "button");
  readonly #spark = makeSparkline();
  readonly #note = make("p", "note");
  readonly #timeline: Timeline;
  readonly #tabs: Tabs;
  readonly #tests = make("div", "panel");
  readonly #artifacts = make("div", "panel");
  readonly #about = make("div", "panel");
  #shownAbout = "";
  #results: BuildResults | undefined;

  constructor(section: HTMLElement, actions: BuildActions) {
    this.#section = section;
    this.#timeline = new Timeline((position) => actions.handleStep(position));
    this.#tabs = new Tabs(
      [
        { id: "tests", panel: this.#tests },
        { id: "log", panel: this.logContainer },
        { id: "artifacts", panel: this.#artifacts },
        { id: "about", panel: this.#about },
      ],
      (id) => actions.handleTab(id as BuildTab),
    );
    this.#title.id = "build-title";
    this.#title.append(this.#number, " ", this.#subject);
    this.#bar.append(make("span"));
    this.#note.id = "build-note";
    for (const button of [this.#rebuild, this.#retry, this.#cancel]) button.type = "button";
    this.#rebuild.id = "rebuild";
    this.#retry.id = "retry-failed";
    this.#cancel.id = "cancel";
    this.#raw.id = "build-raw";
    setText(this.#older, "← Older");
    setText(this.#newer, "Newer →");
    this.#older.rel = "prev";
    this.#newer.rel = "next";
    this.#rebuild.addEventListener("click", () => actions.handleRebuild());
    this.#retry.addEventListener("click", () => actions.handleRetryFailed());
    this.#cancel.addEventListener("click", () => actions.handleCancel());
    const back = make("a", "back", "← Overview");
    back.href = "/";
    const trend = make("span", "trend");
    trend.append(this.#spark);
    this.#mayNot.append(this.#login, this.#mayNotWhy);
    this.#actions.append(
      this.#rebuild,
      this.#retry,
      this.#cancel,
      this.#mayNot,
      this.#raw,
      this.#older,
      this.#newer,
      trend,
    );
    const what = make("div", "what");
    what.append(this.#title, this.#state);
    this.#head.append(back, this.#mark, what, this.#bar, this.#facts, this.#actions);
    this.#section.append(
      this.#head,
      this.#timeline.element,
      this.#tabs.element,
      this.#note,
      this.#tests,
      this.logContainer,
      this.#artifacts,
      this.#about,
    );
  }

  /** `build` undefined: there is none, or it is not known yet. */
  show(build: Build | undefined, context: BuildContext): void {
    setText(this.#number, context.id === 0 ? "" : `#${context.id}`);
    setText(this.#note, context.note);
    this.#note.hidden = context.note === "";
    this.#showTabs(build, context);
    this.#mark.hidden = this.#facts.hidden = this.#actions.hidden = build === undefined;
    this.#head.dataset["state"] = build?.state ?? "";
    if (build === undefined) {
      setText(this.#subject, context.id === 0 ? "No such page" : "");
      setText(this.#state, "");
      this.#bar.hidden = this.#timeline.element.hidden = true;
      return;
    }
    setText(this.#mark, marks[build.state].sign);
    setText(this.#subject, build.subject);
    this.#subject.title = build.subject;
    this.#showState(build, context);
    this.#showFacts(build, context);
    this.#showActions(build, context);
    const forecast = context.row?.build.id === build.id ? context.row.forecast : null;
    this.#timeline.show(build, forecast ?? {}, context.step, context.nowMs);
  }

  /** What a build reported and kept has a tab when there is some of it. */
  #showTabs(build: Build | undefined, { note, results, tab, details }: BuildContext): void {
    const nameOf = (position: number): string => build?.steps[position]?.name ?? "";
    if (results !== undefined && results !== this.#results) {
      showTests(this.#tests, results, nameOf);
      showArtifacts(this.#artifacts, results, nameOf);
    }
    this.#results = results;
    const key = JSON.stringify([build, details]);
    if (build !== undefined && details !== undefined && key !== this.#shownAbout) {
      this.#shownAbout = key;
      showAbout(this.#about, build, details);
    }
    const labels: Partial<Record<BuildTab, string>> = {};
    if (results !== undefined && (results.tests.length > 0 || results.problems.length > 0))
      labels.tests = `Tests: ${countText(results.counts) || "see what could not be read"}`;
    if (note === "") labels.log = "Log";
    if (results !== undefined && results.artifacts.length > 0)
      labels.artifacts = `Artifacts: ${results.artifacts.length}`;
    if (details !== undefined) labels.about = "About";
    const first = (results?.counts.failed ?? 0) > 0 ? "tests" : "log";
    this.#tabs.show(labels, tab !== undefined && labels[tab] !== undefined ? tab : first);
  }

  #showState(build: Build, { row, nowMs }: BuildContext): void {
    const said = [howOf(build)];
    const timeMs = elapsedMs(build, nowMs);
    if (timeMs !== undefined) said.push(duration(timeMs));
    const forecast = row?.build.id === build.id ? row.forecast : null;
    const progress = forecast === null ? undefined : progressOf(build, forecast, nowMs);
    if (progress !== undefined) said.push(leftText(progress));
    setText(this.#state, said.join(" · "));
    this.#bar.hidden = build.state !== "running";
    this.#bar.dataset["known"] = String(progress !== undefined);
    const fill = this.#bar.firstElementChild as HTMLElement;
    fill.style.width = progress === undefined ? "" : `${(100 * progress.fraction).toFixed(1)}%`;
  }

  #showFacts(build: Build, { nowMs, details }: BuildContext): void {
    const { startedMs, finishedMs, queuedMs } = build;
    const waitedMs = (startedMs ?? finishedMs ?? nowMs) - queuedMs;
    const facts: Record<string, string> = {
      Repository: build.repository,
      Branch: build.branch,
      Commit: "",
      Author: build.author,
      Trigger: details === undefined ? causeText(build) : triggerText(build, details),
      // What has started says when, and how long it waited if it did.
      Queued: startedMs === null ? dateTime(queuedMs) : "",
      Started: startedMs === null ? "" : dateTime(startedMs),
      Ended: finishedMs === null ? "" : dateTime(finishedMs),
      Waited: waitedMs < 1000 ? "" : duration(waitedMs),
    };
    for (const [name, text] of Object.entries(facts)) {
      const pair = this.#values.get(name) ?? this.#addFact(name);
      setText(pair.value, text);
      (pair.term.parentElement as HTMLElement).hidden = text === "";
    }
    const commit = this.#values.get("Commit");
    if (commit !== undefined) showCommit(commit, build.sha, details?.commitUrl ?? null);
  }

  #addFact(name: string): { term: HTMLElement; value: HTMLElement } {
    const [group, term, value] = [make("div"), make("dt", "", name), make("dd")];
    group.dataset["fact"] = name;
    const text = makeName("");
    value.append(text);
    group.append(term, value);
    this.#facts.append(group);
    const pair = { term, value: text };
    this.#values.set(name, pair);
    return pair;
  }

  #showActions(build: Build, { row, access, toRetry }: BuildContext): void {
    const mayAct = access !== undefined && includesRole(access.role, "builder");
    this.#rebuild.hidden = !mayAct || !hasEnded(build);
    this.#cancel.hidden = !mayAct || hasEnded(build);
    this.#retry.hidden = !mayAct;
    const branches = toRetry === 1 ? "1 branch" : `${toRetry} branches`;
    setText(this.#retry, toRetry ? `Retry failed: ${branches}` : "Retry failed");
    // It stays in reach of keys and readers, and says why when it is pressed.
    setAttribute(this.#retry, "aria-disabled", toRetry ? undefined : "true");
    this.#retry.title = toRetry
      ? `Build the last commit of ${branches} of ${build.repository} again`
      : noRetryReason(build, toRetry);
    this.#mayNot.hidden = mayAct || access === undefined;
    this.#login.hidden = access?.name != null;
    setAttribute(this.#login, "href", loginPath());
    setText(
      this.#mayNotWhy,
      access?.name == null
        ? " to build or cancel"
        : `Building takes the role builder; ${access.name} is ${access.role}.`,
    );
    this.#raw.hidden = build.startedMs === null;
    this.#raw.href = `/builds/${build.id}/log`;
    const { older, newer } = neighbours(build, row);
    for (const [link, id] of [
      [this.#older, older],
      [this.#newer, newer],
    ] as const) {
      link.hidden = id === undefined;
      setAttribute(link, "href", id === undefined ? undefined : `/builds/${id}`);
      if (id !== undefined) link.title = `Build ${id} of ${build.branch}`;
    }
    drawSparkline(this.#spark, row?.recent ?? []);
  }
}

/** Why nothing can be retried. */
export function noRetryReason({ repository }: Build, toRetry: number | undefined): string {
  return toRetry === undefined
    ? noConnection
    : `Nothing to retry: the last build of every branch of ${repository} passed, or one is on its way.`;
}

/** A commit's number, short; a link where the forge shows it. */
function showCommit(
  { term, value }: { term: HTMLElement; value: HTMLElement },
  sha: string,
  url: string | null,
): void {
  const pair = term.parentElement as HTMLElement;
  pair.hidden = false;
  let link = value.querySelector("a");
  if (url === null) setText(value, sha.slice(0, 12));
  else {
    if (link === null) {
      link = make("a");
      link.rel = "noreferrer";
      value.replaceChildren(link);
    }
    setAttribute(link, "href", url);
    setText(link, sha.slice(0, 12));
  }
  value.title = sha;
}

/** The builds of the branch before and after that one, as far as the row reaches. */
export function neighbours(
  build: Build,
  row: BranchRow | undefined,
): { older: number | undefined; newer: number | undefined } {
  const ids = [
    ...new Set([
      ...(row === undefined ? [] : [row.build.id]),
      ...(row?.recent ?? []).map(({ id }) => id),
    ]),
  ];
  return {
    older: ids.filter((id) => id < build.id).toSorted((a, b) => b - a)[0],
    newer: ids.filter((id) => id > build.id).toSorted((a, b) => a - b)[0],
  };
}

/** How a build stands, with the reason: `failed: step test exited with 1`, `cancelled by Ann`. */
function howOf(build: Build): string {
  if (build.reason === null) return stateOf(build);
  const [reason, { word }] = [firstLine(build.reason), marks[build.state]];
  return reason.startsWith(`${word} `) ? reason : `${word}: ${reason}`;
}
