import type { BranchRow } from "../build/overview.ts";
import { make, makeMark, makeName, setChildren, setText } from "./dom.ts";
import { marks, stateOf } from "./format.ts";

/** Up to so many rows are seen at a glance, and need nothing above them. */
const glance = 3;
/** As many branches are named. */
const maxNamed = 5;

/** What fails, above a list that is longer than the screen: nobody should have to look for it. */
export class Attention {
  readonly #element: HTMLElement;
  readonly #sum = make("b");
  readonly #list = make("ol");
  readonly #more = make("a", "more");
  readonly #items = new Map<string, HTMLLIElement>();

  constructor(element: HTMLElement) {
    this.#element = element;
    this.#more.href = "/wall";
    element.append(this.#sum, this.#list, this.#more);
  }

  show(rows: readonly BranchRow[], hasRepositories: boolean): void {
    const failing = rows.filter(({ verdict }) => verdict === "failed");
    this.#element.hidden = failing.length === 0 || rows.length <= glance;
    setText(this.#sum, `${marks.failed.sign} ${failing.length} of ${rows.length} failing`);
    const named = failing.slice(0, maxNamed);
    const items = new Set<string>();
    setChildren(
      this.#list,
      named.map((row) => {
        const key = JSON.stringify([row.repositoryId, row.branch]);
        items.add(key);
        const item = this.#items.get(key) ?? this.#add(key);
        fill(item, row, hasRepositories);
        return item;
      }),
    );
    for (const key of this.#items.keys()) if (!items.has(key)) this.#items.delete(key);
    const more = failing.length - named.length;
    this.#more.hidden = more === 0;
    setText(this.#more, `and ${more} more`);
  }

  #add(key: string): HTMLLIElement {
    const item = make("li");
    const link = make("a");
    link.append(makeMark(), makeName("name"));
    item.append(link);
    this.#items.set(key, item);
    return item;
  }
}

/** A branch that is tried again says so by its mark: it fails until that has passed. */
function fill(
  item: HTMLLIElement,
  { repository, branch, build }: BranchRow,
  hasRepositories: boolean,
): void {
  const link = item.firstElementChild as HTMLAnchorElement;
  const [mark, name] = link.children;
  const state = build.state === "running" ? "running" : "failed";
  link.href = `/builds/${build.id}`;
  link.dataset["state"] = state;
  const called = hasRepositories ? `${repository} ${branch}` : branch;
  link.title = `${called}: ${stateOf(build)}`;
  if (mark !== undefined) setText(mark, marks[state].sign);
  if (name !== undefined) setText(name, called);
}
