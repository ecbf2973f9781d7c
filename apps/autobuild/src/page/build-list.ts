import type { Build } from "../build/build.ts";
import { ago, duration, elapsedMs, marks } from "./format.ts";

interface Row {
  readonly item: HTMLLIElement;
  readonly link: HTMLAnchorElement;
  readonly mark: HTMLSpanElement;
  readonly subject: HTMLSpanElement;
  readonly when: HTMLSpanElement;
  readonly facts: HTMLSpanElement;
}

/** The list of builds, newest first. Rows are kept, so that focus and selection stay where they are. */
export class BuildList {
  readonly #list: HTMLElement;
  readonly #rows = new Map<number, Row>();

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  show(builds: readonly Build[], selectedId: number | undefined, nowMs: number): void {
    const several = new Set(builds.map((build) => build.repositoryId)).size > 1;
    const ids = new Set(builds.map((build) => build.id));
    for (const [id, { item }] of this.#rows) {
      if (ids.has(id)) continue;
      item.remove();
      this.#rows.delete(id);
    }
    builds.forEach((build, index) => {
      const row = this.#rows.get(build.id) ?? this.#add(build.id);
      if (this.#list.children[index] !== row.item)
        this.#list.insertBefore(row.item, this.#list.children[index] ?? null);
      fill(row, build, several, nowMs);
      if (build.id === selectedId) row.link.setAttribute("aria-current", "true");
      else row.link.removeAttribute("aria-current");
    });
  }

  #add(id: number): Row {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#build-${id}`;
    const [mark, subject, when, facts] = ["mark", "subject", "when", "facts"].map((name) => {
      const part = document.createElement("span");
      part.className = name;
      link.append(part);
      return part;
    }) as [HTMLSpanElement, HTMLSpanElement, HTMLSpanElement, HTMLSpanElement];
    mark.setAttribute("aria-hidden", "true");
    item.append(link);
    const row = { item, link, mark, subject, when, facts };
    this.#rows.set(id, row);
    return row;
  }
}

/** Everything that came from a repository goes in as text, never as markup. */
function fill(row: Row, build: Build, withRepository: boolean, nowMs: number): void {
  const { sign, word } = marks[build.state];
  setText(row.mark, sign);
  row.mark.dataset["state"] = build.state;
  setText(row.subject, build.subject);
  row.subject.title = build.subject;
  const time = elapsedMs(build, nowMs);
  setText(row.when, time === undefined ? "" : duration(time));
  const at = ago(nowMs - (build.finishedMs ?? build.startedMs ?? build.queuedMs));
  const where = withRepository ? `${build.repository} ${build.branch}` : build.branch;
  setText(
    row.facts,
    `#${build.id} ${word} · ${where} · ${build.sha.slice(0, 7)} · ${build.author} · ${at}`,
  );
}

/** Leaves what is the same alone: screen readers and selections are not disturbed. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
