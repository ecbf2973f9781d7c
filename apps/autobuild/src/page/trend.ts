import type { Build } from "../build/build.ts";
import { elapsedMs, marks } from "./format.ts";

const shownBuilds = 30;

/** Draws the latest builds as bars, oldest first: how they ended, and how long they took. */
export function drawTrend(element: HTMLElement, builds: readonly Build[], nowMs: number): void {
  const ran = builds
    .filter((build) => build.startedMs !== null)
    .slice(0, shownBuilds)
    .reverse();
  const times = ran.map((build) => elapsedMs(build, nowMs) ?? 0);
  const longest = Math.max(1, ...times);
  element.replaceChildren(
    ...ran.map((build, index) => {
      const bar = document.createElement("span");
      bar.dataset["state"] = build.state;
      bar.style.height = `${Math.max(8, (100 * (times[index] ?? 0)) / longest)}%`;
      bar.title = `Build ${build.id} ${marks[build.state].word}`;
      return bar;
    }),
  );
  const passed = ran.filter((build) => build.state === "passed").length;
  element.setAttribute(
    "aria-label",
    ran.length === 0 ? "No builds yet" : `The last ${ran.length} builds: ${passed} passed`,
  );
  element.hidden = ran.length === 0;
}
