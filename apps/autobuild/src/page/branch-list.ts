import { progressOf } from "../build/forecast.ts";
import type { BranchRow } from "../build/overview.ts";
import type { Repository } from "../build/repository.ts";
import { make, makeMark, makeName, setAttribute, setChildren, setText } from "./dom.ts";
import { ago, duration, elapsedMs, leftText, marks, standing, stateOf } from "./format.ts";
import { drawSparkline, makeSparkline } from "./sparkline.ts";

interface Row {
  readonly item: HTMLLIElement;
  readonly link: HTMLAnchorElement;
  readonly mark: HTMLElement;
  readonly branch: HTMLElement;
  readonly spark: SVGSVGElement;
  readonly when: HTMLElement;
  readonly subject: HTMLElement;
  readonly state: HTMLElement;
  readonly standing: HTMLElement;
  readonly sha: HTMLElement;
  readonly author: HTMLElement;
  readonly age: HTMLElement;
  readonly left: HTMLElement;
  readonly bar: HTMLElement;
}

interface Group {
  readonly section: HTMLElement;
  readonly name: HTMLElement;
  readonly remove: HTMLButtonElement;
  readonly list: HTMLElement;
  /** Where it has no row. */
  readonly nothing: HTMLElement;
}

/** What is particular about who looks. */
export interface BranchListView {
  readonly selectedId: number | undefined;
  /** Whether they may remove repositories. */
  readonly mayRemove: boolean;
}

/** The overview: a row for each branch, by repository. Rows are kept, so that focus and selection stay where they are. */
export class BranchList {
  readonly #element: HTMLElement;
  readonly #rows = new Map<string, Row>();
  readonly #groups = new Map<number, Group>();
  readonly #handleRemove: (repositoryId: number) => void;
  #revealedId: number | undefined;

  /** @param handleRemove somebody wants a repository to be built no more, and has not confirmed it yet */
  constructor(element: HTMLElement, handleRemove: (repositoryId: number) => void) {
    this.#element = element;
    this.#handleRemove = handleRemove;
  }

  show(
    rows: readonly BranchRow[],
    repositories: readonly Repository[],
    { selectedId, mayRemove }: BranchListView,
    nowMs: number,
  ): void {
    const shown = new Set<string>();
    const groups: HTMLElement[] = [];
    for (const repository of repositories) {
      const own = rows.filter(({ repositoryId }) => repositoryId === repository.id);
      if (own.length === 0 && repositories.length < 2) continue;
      const group = this.#group(repository.id);
      groups.push(group.section);
      setText(group.name, repository.name);
      group.name.title = repository.label;
      group.remove.hidden = !mayRemove || !repository.isAdded;
      setAttribute(group.remove, "aria-label", `Remove ${repository.name}`);
      group.nothing.hidden = own.length > 0;
      setChildren(
        group.list,
        own.map((row) => {
          const key = JSON.stringify([row.repositoryId, row.branch]);
          shown.add(key);
          const parts = this.#rows.get(key) ?? this.#add(key);
          fill(parts, row, selectedId, nowMs);
          return parts.item;
        }),
      );
    }
    setChildren(this.#element, groups);
    this.#reveal(selectedId);
    for (const key of this.#rows.keys()) if (!shown.has(key)) this.#rows.delete(key);
  }

  /** Who comes by a link to a build finds its branch, too. Once: from then on the list is its reader's. */
  #reveal(selectedId: number | undefined): void {
    if (selectedId === this.#revealedId) return;
    if (selectedId === undefined) this.#revealedId = undefined;
    const chosen = this.#element.querySelector<HTMLElement>("a[aria-current=true]");
    if (chosen === null) return;
    this.#revealedId = selectedId;
    chosen.scrollIntoView({ block: "nearest" });
  }

  #group(id: number): Group {
    const known = this.#groups.get(id);
    if (known !== undefined) return known;
    const group = {
      section: make("section"),
      name: makeName("repository"),
      remove: make("button", "remove", "Remove…"),
      list: make("ol", "rows"),
      nothing: make("p", "nothing-yet", "No builds yet. Each new commit is built."),
    };
    const [head, heading] = [make("div", "group-head"), make("h3")];
    heading.append(group.name);
    group.remove.type = "button";
    group.remove.setAttribute("aria-haspopup", "dialog");
    group.remove.addEventListener("click", () => this.#handleRemove(id));
    head.append(heading, group.remove);
    group.section.append(head, group.list, group.nothing);
    this.#groups.set(id, group);
    return group;
  }

  #add(key: string): Row {
    const row: Row = {
      item: make("li"),
      link: make("a"),
      mark: makeMark(),
      branch: makeName("branch"),
      spark: makeSparkline(),
      when: make("span", "when"),
      subject: makeName("subject"),
      state: make("b"),
      standing: make("span", "standing"),
      sha: make("span", "sha"),
      author: makeName("author"),
      age: make("span"),
      left: make("span", "left"),
      bar: make("span", "bar"),
    };
    const how = make("span", "facts");
    how.append(row.state, row.standing, row.left);
    const facts = make("span", "facts");
    facts.append(row.sha, " · ", row.author, " · ", row.age);
    const fill = make("span");
    row.bar.append(fill);
    const said = make("span", "said");
    said.append(how, facts);
    row.link.append(row.mark, row.branch, row.spark, row.when, row.subject, said, row.bar);
    row.item.append(row.link);
    this.#rows.set(key, row);
    return row;
  }
}

/** Everything that came from a repository goes in as text, never as markup. */
function fill(parts: Row, row: BranchRow, selectedId: number | undefined, nowMs: number): void {
  const { build } = row;
  parts.link.href = `/builds/${build.id}`;
  parts.link.dataset["state"] = build.state;
  setAttribute(parts.link, "aria-current", build.id === selectedId ? "true" : undefined);
  setText(parts.mark, marks[build.state].sign);
  setText(parts.branch, row.branch);
  parts.branch.title = row.branch;
  drawSparkline(parts.spark, row.recent);
  const timeMs = elapsedMs(build, nowMs);
  setText(parts.when, timeMs === undefined ? "" : duration(timeMs));
  setText(parts.subject, build.subject);
  parts.subject.title = build.subject;
  setText(parts.state, `#${build.id} ${stateOf(build)}`);
  const stands = standing(row, nowMs);
  setText(parts.standing, stands === "" ? "" : ` · ${stands}`);
  setText(parts.sha, build.sha.slice(0, 7));
  setText(parts.author, build.author);
  const atMs = build.finishedMs ?? build.startedMs ?? build.queuedMs;
  setText(parts.age, ago(nowMs - atMs));

  const progress = row.forecast === null ? undefined : progressOf(build, row.forecast, nowMs);
  setText(parts.left, progress === undefined ? "" : ` · ${leftText(progress)}`);
  parts.bar.hidden = build.state !== "running";
  parts.bar.dataset["known"] = String(progress !== undefined);
  const bar = parts.bar.firstElementChild as HTMLElement;
  bar.style.width = progress === undefined ? "" : `${(100 * progress.fraction).toFixed(1)}%`;
}
