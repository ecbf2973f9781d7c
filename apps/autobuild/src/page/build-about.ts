import type { BuildDetails } from "../build/build-details.ts";
import type { Build } from "../build/build.ts";
import { make, makeName, setText } from "./dom.ts";
import { bytesText, causeText, dateTime } from "./format.ts";

/** Fetches what is known about a build besides what lists show. Undefined: there is no answer. */
export async function fetchDetails(buildId: number): Promise<BuildDetails | undefined> {
  const answer = await fetch(`/api/builds/${buildId}/details`).catch(() => undefined);
  return answer?.ok === true ? ((await answer.json()) as BuildDetails) : undefined;
}

const forgeNames = {
  github: "GitHub",
  gitlab: "GitLab",
  gitea: "Gitea",
  forgejo: "Forgejo",
} as const;

/** Why a build was queued, in a few words: `a push, told by GitHub`, `again, after build 3, by Ann`. */
export function triggerText(build: Build, { event, trigger }: BuildDetails): string {
  const again = build.causeBuildId === null ? "" : causeText(build);
  const what =
    event === "tag" ? "a tag" : event === "pullRequest" ? "a pull request of a fork" : "a push";
  switch (trigger?.type) {
    case undefined:
      return again || causeText(build);
    case "look":
      return `${what}, found at a regular look`;
    case "refs":
      return `${what}, seen in the repository at once`;
    case "hook":
      return `${what}, told by a git hook`;
    case "webhook":
      return `${what}, told by ${forgeNames[trigger.forge]}`;
    case "cron":
      return `its time table, ${trigger.schedule}`;
    case "person":
      return `${again || "by hand"}, by ${trigger.by}`;
    case "files":
      return "files changed in the work tree";
  }
}

/** Fills the panel that says all there is to say: the commit, what led to it, where it ran. */
export function showAbout(panel: HTMLElement, build: Build, details: BuildDetails): void {
  const { trigger, machine, baseSha, isTrusted, planReason } = details;
  const message = make("pre", "message");
  message.dir = "auto";
  setText(message, details.message);
  const commit = section("Commit", [
    ["SHA", commitLink(build.sha, details.commitUrl)],
    ["Author", name(build.author)],
    ["Committed", dateTime(build.committedMs)],
    ["Built before", baseSha === null ? undefined : code(baseSha)],
  ]);
  commit.insertBefore(message, commit.children[1] ?? null);
  const repeats = build.causeBuildId === null ? undefined : make("a", "", `#${build.causeBuildId}`);
  if (repeats !== undefined) repeats.href = `/builds/${build.causeBuildId}`;
  const led = section("What led to it", [
    ["Trigger", name(triggerText(build, details))],
    [
      "Delivery",
      trigger?.type === "webhook" ? code(trigger.delivery ?? "without a number") : undefined,
    ],
    ["Repeats", repeats],
    ["Trusted", isTrusted ? undefined : "no: a fork's build gets no secrets"],
    ["Plan", planReason === null ? undefined : name(planReason)],
  ]);
  const tools = Object.entries(details.tools).map(([tool, version]) => `${tool} ${version}`);
  const when = (ms: number | null): string | undefined => (ms === null ? undefined : dateTime(ms));
  const times: readonly Fact[] = [
    ["Queued", when(build.queuedMs)],
    ["Started", when(build.startedMs)],
    ["Ended", when(build.finishedMs)],
  ];
  const where = section(
    "When and where it ran",
    machine === null
      ? times
      : [
          ...times,
          ["Machine", name(machine.host)],
          ["System", name(`${machine.os}, ${machine.kernel}, ${machine.architecture}`)],
          ["Size", `${machine.cores} cores, ${bytesText(machine.memoryBytes)} of memory`],
          ["Tools", tools.length === 0 ? undefined : list(tools)],
          ["Runner", `Node ${machine.node.replace(/^v/, "")}`],
          ["Images", details.images.length === 0 ? undefined : list(details.images)],
        ],
  );
  if (machine === null)
    where.append(
      make(
        "p",
        "more",
        build.startedMs === null
          ? "It has not started."
          : "It is not known: its log was removed, it came to no steps, or it is from before that was kept.",
      ),
    );
  const variables = section("Variables, by name alone", [
    ["Secrets", details.secrets.length === 0 ? undefined : list(details.secrets)],
    [
      "Configured",
      details.configuredVariables.length === 0 ? undefined : list(details.configuredVariables),
    ],
    ["Every step", machine === null ? undefined : list(machine.variables)],
  ]);
  const about = make("div", "about");
  about.append(commit, led, where);
  if (variables.querySelector("dd") !== null) about.append(variables);
  panel.replaceChildren(about);
}

/** A commit's number, and the way to it at the forge where that is known. */
function commitLink(sha: string, url: string | null, shown = sha): HTMLElement {
  const text = code(shown);
  text.title = sha;
  if (url === null) return text;
  const link = make("a");
  link.href = url;
  link.rel = "noreferrer";
  link.append(text);
  return link;
}

type Fact = readonly [term: string, value: string | HTMLElement | undefined];

function section(title: string, facts: readonly Fact[]): HTMLElement {
  const element = make("section");
  element.append(make("h3", "", title));
  const terms = make("dl");
  for (const [term, value] of facts) {
    if (value === undefined) continue;
    const [pair, definition] = [make("div"), make("dd")];
    definition.append(value);
    pair.append(make("dt", "", term), definition);
    terms.append(pair);
  }
  if (terms.childElementCount > 0) element.append(terms);
  return element;
}

function list(texts: readonly string[]): HTMLElement {
  const element = make("ul", "names");
  for (const text of texts) {
    const item = make("li");
    item.append(code(text));
    element.append(item);
  }
  return element;
}

function code(text: string): HTMLElement {
  const element = make("code");
  setText(element, text);
  return element;
}

function name(text: string): HTMLElement {
  const element = makeName("");
  setText(element, text);
  return element;
}
