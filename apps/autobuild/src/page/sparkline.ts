import type { RecentBuild } from "../build/overview.ts";
import { setAttribute } from "./dom.ts";

const svgNamespace = "http://www.w3.org/2000/svg";
const barWidth = 4;
const gap = 1;
const height = 20;
const leastHeight = 3;
const shownBars = 16;

/** A path for each outcome: all bars of it in one element. */
const outcomes = ["passed", "failed", "ended"] as const;

/** Makes an empty sparkline. It repeats what words say beside it, so readers of the screen are spared it. */
export function makeSparkline(): SVGSVGElement {
  const svg = document.createElementNS(svgNamespace, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("width", String(shownBars * (barWidth + gap)));
  svg.setAttribute("height", String(height));
  for (const outcome of outcomes) {
    const path = document.createElementNS(svgNamespace, "path");
    path.setAttribute("class", outcome);
    svg.append(path);
  }
  return svg;
}

/** Draws how long the last builds took, the newest one on the right. One that failed has a notch: not colour alone tells. */
export function drawSparkline(svg: SVGSVGElement, recent: readonly RecentBuild[]): void {
  const ran = recent.filter(({ durationMs }) => durationMs !== null).slice(0, shownBars);
  const highestMs = scaleOf(ran.map(({ durationMs }) => durationMs ?? 0));
  const paths: Record<(typeof outcomes)[number], string> = { passed: "", failed: "", ended: "" };
  for (const [index, { state, durationMs }] of ran.entries()) {
    const x = (shownBars - 1 - index) * (barWidth + gap);
    const bar = Math.max(leastHeight, Math.min(1, (durationMs ?? 0) / highestMs) * height);
    const y = Math.round(height - bar);
    const outcome = state === "passed" || state === "failed" ? state : "ended";
    paths[outcome] +=
      outcome === "failed"
        ? `M${x} ${y}l2 2 2-2v${height - y}h-4z`
        : `M${x} ${y}h${barWidth}v${height - y}h-${barWidth}z`;
  }
  for (const [index, outcome] of outcomes.entries()) {
    const path = svg.children[index];
    if (path !== undefined) setAttribute(path, "d", paths[outcome]);
  }
  svg.style.visibility = ran.length < 2 ? "hidden" : "";
}

/** What a full bar stands for: a single build that hung for an hour must not make all others look alike. */
export function scaleOf(timesMs: readonly number[]): number {
  const usualMs = timesMs.toSorted((a, b) => a - b)[timesMs.length >> 1] ?? 0;
  return Math.max(1, Math.min(2 * usualMs, Math.max(0, ...timesMs)));
}
