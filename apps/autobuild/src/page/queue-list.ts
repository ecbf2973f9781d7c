import type { Queue } from "../build/overview.ts";
import { make, makeMark, makeName, setChildren, setText } from "./dom.ts";
import { marks } from "./format.ts";

/** What waits, and each why. */
export class QueueList {
  readonly #section: HTMLElement;
  readonly #title: HTMLElement;
  readonly #list: HTMLElement;
  readonly #items = new Map<number, HTMLLIElement>();

  constructor(section: HTMLElement, title: HTMLElement, list: HTMLElement) {
    this.#section = section;
    this.#title = title;
    this.#list = list;
  }

  show({ count, first }: Queue, hasRepositories: boolean): void {
    this.#section.hidden = count === 0;
    const more = count - first.length;
    setText(
      this.#title,
      more > 0 ? `Queue: ${count}, the next ${first.length}` : `Queue: ${count}`,
    );
    const items = first.map(({ build, reason }) => {
      const item = this.#items.get(build.id) ?? this.#add(build.id);
      const [name, subject, why] = item.querySelectorAll(".branch, .subject, .facts");
      const where = hasRepositories ? `${build.repository} ${build.branch}` : build.branch;
      if (name !== undefined) setText(name, where);
      if (subject !== undefined) setText(subject, build.subject);
      if (why !== undefined) setText(why, `#${build.id} ${reason}`);
      return item;
    });
    setChildren(this.#list, items);
    const ids = new Set(first.map(({ build }) => build.id));
    for (const id of this.#items.keys()) if (!ids.has(id)) this.#items.delete(id);
  }

  #add(id: number): HTMLLIElement {
    const item = make("li");
    const link = make("a");
    link.href = `/builds/${id}`;
    link.dataset["state"] = "queued";
    const mark = makeMark();
    setText(mark, marks.queued.sign);
    link.append(mark, makeName("branch"), makeName("subject"), make("span", "facts"));
    item.append(link);
    this.#items.set(id, item);
    return item;
  }
}
