import type { Build } from "../build/build.ts";
import { escapeXml } from "./badge.ts";

/** What build monitors ask for of a branch. */
export interface CcProject {
  readonly name: string;
  readonly webUrl: string;
  /** The newest build that has ended and says something of the commit. */
  readonly last: Build | undefined;
  /** The newest build, whatever its state. */
  readonly newest: Build | undefined;
}

/** The state of all branches as `cc.xml`, the format that CCTray and other build monitors read. */
export function ccXml(projects: readonly CcProject[]): string {
  const lines = projects.map(({ name, webUrl, last, newest }) => {
    const isBuilding = newest?.state === "running";
    const attributes = {
      name,
      activity: isBuilding ? "Building" : "Sleeping",
      lastBuildStatus:
        last === undefined ? "Unknown" : last.state === "passed" ? "Success" : "Failure",
      lastBuildLabel: last === undefined ? "" : String(last.id),
      lastBuildTime: new Date(last?.finishedMs ?? 0).toISOString(),
      webUrl,
    };
    const text = Object.entries(attributes).map(([key, value]) => `${key}="${escapeXml(value)}"`);
    return `  <Project ${text.join(" ")}/>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Projects>\n${lines.join("\n")}\n</Projects>\n`;
}
