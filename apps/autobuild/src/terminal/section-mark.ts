/** A mark of GitLab's dialect, found in a row before it was overwritten. */
export interface SectionMark {
  readonly type: "start" | "end";
  readonly name: string;
  readonly isCollapsed: boolean;
}

/** A row that is longer is no mark. */
export const maxSectionUnits = 400;
const form = /^section_(start|end):\d{1,15}:([\w.-]{1,100})(?:\[([^\]]{0,200})\])?$/;

/** The mark that a row is, if it is nothing else. */
export function sectionMarkOf(text: string): SectionMark | undefined {
  if (!text.startsWith("section_")) return undefined;
  const match = form.exec(text);
  if (match === null) return undefined;
  return {
    type: match[1] === "start" ? "start" : "end",
    name: match[2] ?? "",
    isCollapsed: /(?:^|,)collapsed=true(?:,|$)/.test(match[3] ?? ""),
  };
}
