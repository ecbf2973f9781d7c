import type { Build } from "../build/build.ts";
import { formatDuration } from "../duration.ts";

interface Look {
  readonly word: string;
  /** Under white text, with a contrast of at least 4.5. */
  readonly colour: string;
}

const looks: Readonly<Record<Build["state"], Look>> = {
  queued: { word: "queued", colour: "#555" },
  running: { word: "running", colour: "#1b64a8" },
  passed: { word: "passed", colour: "#1f7a33" },
  failed: { word: "failed", colour: "#b3261e" },
  cancelled: { word: "cancelled", colour: "#555" },
  lost: { word: "lost", colour: "#8a5300" },
};

const labelColour = "#24292f";
const height = 20;

/**
 * A picture of how a branch stands, for a README: `build | passed 2 min 5 s`.
 *
 * SVG without a font, a script or an address of anything else. Text that would not fit is squeezed, so the
 * widths need no font's measures.
 */
export function badgeOf(label: string, build: Build | undefined): string {
  const { word, colour } =
    build === undefined ? { word: "no builds", colour: "#555" } : looks[build.state];
  const took =
    build?.state === "passed" && build.durationMs !== null
      ? ` ${formatDuration(build.durationMs)}`
      : "";
  const left = label.slice(0, 60);
  const right = `${word}${took}`;
  const leftWidth = widthOf(left);
  const rightWidth = widthOf(right);
  const width = leftWidth + rightWidth;
  const title = escapeXml(`${left}: ${right}`);
  const text = (content: string, x: number, within: number): string =>
    `<text x="${x + within / 2}" y="14" textLength="${within - 12}" lengthAdjust="spacingAndGlyphs">${escapeXml(content)}</text>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" role="img" aria-label="${title}">` +
    `<title>${title}</title>` +
    `<clipPath id="r"><rect width="${width}" height="${height}" rx="3"/></clipPath>` +
    `<g clip-path="url(#r)"><rect width="${leftWidth}" height="${height}" fill="${labelColour}"/>` +
    `<rect x="${leftWidth}" width="${rightWidth}" height="${height}" fill="${colour}"/></g>` +
    `<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">` +
    `${text(left, 0, leftWidth)}${text(right, leftWidth, rightWidth)}</g></svg>\n`
  );
}

// Close to Verdana at 11 px; `textLength` does the rest.
function widthOf(text: string): number {
  return Math.round(text.length * 6.6 + 12);
}

/** What a branch is called must not become markup. */
export function escapeXml(text: string): string {
  return (
    text
      // XML 1.0, section 2.2: these may not even be escaped.
      .replaceAll(/(?![\t\n\r])[\p{Cc}\p{Surrogate}\ufffe\uffff]/gu, "\ufffd")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
  );
}
