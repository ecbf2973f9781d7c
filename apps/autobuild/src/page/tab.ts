import type { Build } from "../build/build.ts";
import { marks } from "./format.ts";

const grey = "#a9a9b8";
/** A colour and a shape for each state: the icon must be told apart by those who see no red. */
const icons: Readonly<Record<Build["state"], readonly [colour: string, shape: string]>> = {
  passed: ["#3ddc5a", '<circle cx="8" cy="8" r="7"/><path d="m4.5 8 2.5 3 4.5-6" stroke="#000"/>'],
  failed: ["#ff6b61", '<path d="M1 1h14v14H1z"/><path d="m5 5 6 6m0-6-6 6" stroke="#000"/>'],
  running: ["#4cc2ff", '<path d="M3 1v14l12-7z"/>'],
  queued: ["none", '<circle cx="8" cy="8" r="6" stroke="#c9a94a"/>'],
  cancelled: [grey, '<path d="M4 4h8v8H4z"/>'],
  lost: [grey, '<circle cx="8" cy="8" r="4"/>'],
};

/** Tells the state in the browser's tab: in its icon, and in words. */
export function showTab(favicon: HTMLLinkElement, build: Build | undefined): void {
  const title =
    build === undefined
      ? "AutoBuild"
      : `${marks[build.state].sign} ${marks[build.state].word} · ${build.repository} · AutoBuild`;
  if (document.title !== title) document.title = title;
  const [fill, shape] = icons[build?.state ?? "queued"];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="${fill}" stroke-width="2">${shape}</svg>`;
  const icon = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  if (favicon.getAttribute("href") !== icon) favicon.href = icon;
}
