import type { Build, BuildState } from "../build/build.ts";
import type { BranchRow } from "../build/overview.ts";
import { marks } from "./format.ts";

const grey = "#a9a9b8";
/** A colour and a shape for each state: the icon must be told apart by those who see no red. */
const icons: Readonly<Record<BuildState, readonly [colour: string, shape: string]>> = {
  passed: ["#3ddc5a", '<circle cx="8" cy="8" r="7"/><path d="m4.5 8 2.5 3 4.5-6" stroke="#000"/>'],
  failed: ["#ff6b61", '<path d="M1 1h14v14H1z"/><path d="m5 5 6 6m0-6-6 6" stroke="#000"/>'],
  running: ["#4cc2ff", '<path d="M3 1v14l12-7z"/>'],
  queued: ["none", '<circle cx="8" cy="8" r="6" stroke="#c9a94a"/>'],
  cancelled: [grey, '<path d="M4 4h8v8H4z"/>'],
  lost: [grey, '<circle cx="8" cy="8" r="4"/>'],
};

/** What a tab is about: one build, or all branches, and what is live. */
export type TabSubject =
  | { readonly type: "build"; readonly build: Build | undefined }
  | { readonly type: "all"; readonly rows: readonly BranchRow[]; readonly live: Build | undefined };

/** Tells the state in the browser's tab: in its icon, and in words. */
export function showTab(favicon: HTMLLinkElement, subject: TabSubject): void {
  const { state, title } = tabOf(subject);
  if (document.title !== title) document.title = title;
  const [fill, shape] = icons[state];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="${fill}" stroke-width="2">${shape}</svg>`;
  const icon = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  if (favicon.getAttribute("href") !== icon) favicon.href = icon;
}

/** With several branches the worst that is: what fails, else what runs, else that all pass. */
export function tabOf(subject: TabSubject): { state: BuildState; title: string } {
  if (subject.type === "all" && subject.rows.length > 1) {
    const { rows } = subject;
    const failing = rows.filter(({ verdict }) => verdict === "failed").length;
    const running = rows.filter(({ build }) => build.state === "running").length;
    const [state, words]: [BuildState, string] =
      failing > 0
        ? ["failed", `${failing} of ${rows.length} failing`]
        : running > 0
          ? ["running", `${running} running`]
          : ["passed", `all ${rows.length} passed`];
    return { state, title: `${marks[state].sign} ${words} · AutoBuild` };
  }
  const build = subject.type === "build" ? subject.build : subject.live;
  if (build === undefined) return { state: "queued", title: "AutoBuild" };
  const { sign, word } = marks[build.state];
  const number = subject.type === "build" ? ` #${build.id}` : "";
  return {
    state: build.state,
    title: `${sign}${number} ${word} · ${build.repository} · AutoBuild`,
  };
}
