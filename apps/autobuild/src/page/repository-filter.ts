import type { Build } from "../build/build.ts";
import type { Repository } from "../build/repository.ts";
import { make, setText } from "./dom.ts";
import { marks } from "./format.ts";

/** A button for each repository, with how its newest build goes; there from the second repository on. */
export class RepositoryFilter {
  readonly #group: HTMLElement;
  readonly #handleChange: () => void;
  #chosenId: number | undefined;

  constructor(group: HTMLElement, handleChange: () => void) {
    this.#group = group;
    this.#handleChange = handleChange;
  }

  /** The builds of the repository that was chosen, or all. */
  of(builds: readonly Build[]): readonly Build[] {
    if (this.#chosenId === undefined) return builds;
    return builds.filter(({ repositoryId }) => repositoryId === this.#chosenId);
  }

  show(repositories: readonly Repository[], builds: readonly Build[]): void {
    this.#group.hidden = repositories.length < 2;
    if (!repositories.some(({ id }) => id === this.#chosenId)) this.#chosenId = undefined;
    const choices = [undefined, ...repositories.toSorted((a, b) => a.id - b.id)];
    if (this.#group.childElementCount !== choices.length)
      this.#group.replaceChildren(...choices.map((repository) => this.#button(repository?.id)));
    for (const [index, repository] of choices.entries()) {
      const button = this.#group.children[index] as HTMLElement;
      const [sign, name] = button.children as unknown as [HTMLElement, HTMLElement];
      const newest = builds.find(({ repositoryId }) => repositoryId === repository?.id);
      const isLost = repository?.state.type === "unreachable";
      sign.dataset["state"] = isLost ? "failed" : (newest?.state ?? "");
      setText(sign, isLost ? "!" : newest === undefined ? "" : marks[newest.state].sign);
      setText(name, repository?.name ?? "All");
      button.title = repository?.label ?? "Builds of all repositories";
      button.setAttribute("aria-pressed", String(repository?.id === this.#chosenId));
    }
  }

  #button(id: number | undefined): HTMLButtonElement {
    const button = make("button");
    button.type = "button";
    const sign = make("span", "sign");
    sign.setAttribute("aria-hidden", "true");
    button.append(sign, make("span"));
    button.addEventListener("click", () => {
      this.#chosenId = id;
      this.#handleChange();
    });
    return button;
  }
}
