import type { Repository } from "../build/repository.ts";
import { make } from "./dom.ts";

/** Asks whether a repository is to be built no more, says what that means, and has it done. */
export class Removal {
  readonly #dialog = make("dialog");
  readonly #handleDone: (repository: Repository) => void;

  constructor(handleDone: (repository: Repository) => void) {
    this.#handleDone = handleDone;
    this.#dialog.setAttribute("aria-labelledby", "removal-title");
    this.#dialog.addEventListener("close", () => this.#dialog.replaceChildren());
    document.body.append(this.#dialog);
  }

  open(repository: Repository): void {
    if (this.#dialog.open) return;
    const { name, label } = repository;
    const title = make("h2", "", `Build ${name} no more?`);
    title.id = "removal-title";
    const where = make("p", "removal-label", label);
    const list = make("ul");
    for (const line of [
      "It is looked at no more, and its branches leave the overview.",
      "Builds of it that wait are cancelled; one that runs goes on to its end.",
      "Nothing is deleted: its builds, logs and artifacts stay at their addresses for as long as those of any other repository, and the repository itself is not touched.",
    ])
      list.append(make("li", "", line));

    const form = make("form");
    const field = make("label", "", `To confirm, type its name, ${name}: `);
    const input = make("input");
    input.autocomplete = "off";
    input.spellcheck = false;
    input.autofocus = true;
    field.append(input);
    const problem = make("p", "removal-problem");
    problem.setAttribute("role", "alert");
    const [remove, cancel] = [make("button", "danger", "Remove"), make("button", "", "Keep it")];
    cancel.type = "button";
    cancel.addEventListener("click", () => this.#dialog.close());
    remove.disabled = true;
    input.addEventListener("input", () => (remove.disabled = input.value.trim() !== name));
    form.append(field, problem, cancel, remove);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (remove.disabled) return;
      remove.disabled = true;
      void removeRepository(label).then((refusal) => {
        remove.disabled = false;
        if (refusal !== undefined) {
          problem.textContent = refusal;
          return;
        }
        this.#dialog.close();
        this.#handleDone(repository);
      });
    });
    this.#dialog.replaceChildren(title, where, list, form);
    this.#dialog.showModal();
  }
}

/** Gives why it was not done. */
async function removeRepository(source: string): Promise<string | undefined> {
  try {
    const answer = await fetch("/api/repositories/remove", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ source }),
    });
    if (answer.ok) return undefined;
    const { detail } = (await answer.json()) as { detail?: string };
    return detail ?? `The server answered ${answer.status}.`;
  } catch {
    return "The server did not answer. Try again when the page is live.";
  }
}
