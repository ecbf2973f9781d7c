import type { Build } from "../build/build.ts";
import { make, setText } from "./dom.ts";
import { duration, elapsedMs, marks } from "./format.ts";

const shownBuilds = 30;

/**
 * Draws the latest builds as bars, oldest first: how they ended, and how long they took.
 *
 * For a mouse each bar leads to its build; for all others one sentence says it, and the list below has the same links.
 */
export function drawTrend(
  bars: HTMLElement,
  sentence: HTMLElement,
  builds: readonly Build[],
  nowMs: number,
): void {
  const ran = builds
    .filter(({ startedMs }) => startedMs !== null)
    .slice(0, shownBuilds)
    .reverse();
  const times = ran.map((build) => elapsedMs(build, nowMs) ?? 0);
  // A single build that hung for an hour must not make all others look alike.
  const usual = times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
  const highest = Math.max(1, Math.min(2 * usual, Math.max(...times)));
  // Bars are kept: one that is replaced under the mouse takes no click.
  while (bars.childElementCount > ran.length) bars.lastElementChild?.remove();
  while (bars.childElementCount < ran.length) bars.append(makeBar());
  for (const [index, build] of ran.entries()) {
    const time = times[index] ?? 0;
    const bar = bars.children[index] as HTMLAnchorElement;
    bar.href = `#build-${build.id}`;
    bar.dataset["state"] = build.state;
    bar.title = `Build ${build.id} ${marks[build.state].word}${time === 0 ? "" : `, ${duration(time)}`}`;
    const fill = bar.firstElementChild as HTMLElement;
    fill.style.height = `${Math.min(100, Math.max(12, (100 * time) / highest))}%`;
  }
  const count = (state: Build["state"]): number =>
    ran.filter((build) => build.state === state).length;
  setText(
    sentence,
    ran.length < 2
      ? ""
      : `The last ${ran.length} builds: ${count("passed")} passed, ${count("failed")} failed.`,
  );
  bars.hidden = ran.length < 2;
}

function makeBar(): HTMLAnchorElement {
  const bar = make("a");
  bar.tabIndex = -1;
  bar.append(make("span"));
  return bar;
}
