import type { Build } from "../build/build.ts";
import { make, setText } from "./dom.ts";
import { ago, duration, elapsedMs, marks, stateOf } from "./format.ts";

interface Row {
  readonly item: HTMLLIElement;
  readonly link: HTMLAnchorElement;
  readonly mark: HTMLElement;
  readonly subject: HTMLElement;
  readonly when: HTMLElement;
  readonly state: HTMLElement;
  readonly facts: HTMLElement;
}

/** The list of builds, newest first. Rows are kept, so that focus and selection stay where they are. */
export class BuildList {
  readonly #list: HTMLElement;
  readonly #rows = new Map<number, Row>();

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  show(
    builds: readonly Build[],
    { selectedId, hasRepositories }: { selectedId: number | undefined; hasRepositories: boolean },
    nowMs: number,
  ): void {
    const ids = new Set(builds.map(({ id }) => id));
    for (const [id, { item }] of this.#rows) {
      if (ids.has(id)) continue;
      item.remove();
      this.#rows.delete(id);
    }
    for (const [index, build] of builds.entries()) {
      const row = this.#rows.get(build.id) ?? this.#add(build.id);
      if (this.#list.children[index] !== row.item)
        this.#list.insertBefore(row.item, this.#list.children[index] ?? null);
      fill(row, build, hasRepositories, nowMs);
      if (build.id === selectedId) row.link.setAttribute("aria-current", "true");
      else row.link.removeAttribute("aria-current");
    }
  }

  #add(id: number): Row {
    const item = make("li");
    const link = make("a");
    link.href = `/builds/${id}`;
    const mark = make("span", "mark");
    mark.setAttribute("aria-hidden", "true");
    const [subject, when, line] = [make("span", "subject"), make("span", "when"), make("span")];
    line.className = "facts";
    const [state, facts] = [make("b"), make("span")];
    line.append(state, facts);
    link.append(mark, subject, when, line);
    item.append(link);
    const row = { item, link, mark, subject, when, state, facts };
    this.#rows.set(id, row);
    return row;
  }
}

/** Everything that came from a repository goes in as text, never as markup. */
function fill(row: Row, build: Build, hasRepositories: boolean, nowMs: number): void {
  row.link.dataset["state"] = build.state;
  setText(row.mark, marks[build.state].sign);
  setText(row.subject, build.subject);
  row.subject.title = build.subject;
  const time = elapsedMs(build, nowMs);
  setText(row.when, time === undefined ? "" : duration(time));
  setText(row.state, `#${build.id} ${stateOf(build)}`);
  const at = build.finishedMs ?? build.startedMs ?? build.queuedMs;
  const where = hasRepositories ? `${build.repository} ${build.branch}` : build.branch;
  setText(
    row.facts,
    ` · ${where} · ${build.sha.slice(0, 7)} · ${build.author} · ${ago(nowMs - at)}`,
  );
}
