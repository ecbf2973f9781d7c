import type { BranchRow } from "../build/overview.ts";
import { setText } from "./dom.ts";
import { stateOf } from "./format.ts";
import { remember, remembered } from "./memory.ts";

/** Tells through the browser when a branch breaks and when it is mended, to who has asked for it. */
export class Notifier {
  readonly #button: HTMLButtonElement;
  readonly #handleClick: (path: string) => void;
  #isWanted = remembered("notify") === "yes";

  /** `handleClick` is called with the address of the build when somebody follows a notification. */
  constructor(button: HTMLButtonElement, handleClick: (path: string) => void) {
    this.#button = button;
    this.#handleClick = handleClick;
    // Browsers have them for pages that they trust: https, and this machine.
    button.hidden = !("Notification" in window) || !isSecureContext;
    button.addEventListener("click", () => void this.#toggle());
    this.#show();
  }

  /** Undefined, or null for the verdict: it is not known how the branch stood before, so nothing has changed. */
  tell(row: BranchRow, before: BranchRow | undefined): void {
    const change = changeOf(row, before);
    if (change === undefined || !this.#isOn) return;
    const { build } = row;
    try {
      const notification = new Notification(`${row.repository} ${row.branch} ${change}`, {
        body: `#${build.id} ${stateOf(build)}\n${build.subject} (${build.author})`,
        tag: `${row.repositoryId} ${row.branch}`,
      });
      notification.addEventListener("click", () => {
        window.focus();
        notification.close();
        this.#handleClick(`/builds/${build.id}`);
      });
    } catch {
      // Some browsers of phones have the class, and refuse to make one.
      this.#button.hidden = true;
    }
  }

  get #isOn(): boolean {
    return this.#isWanted && !this.#button.hidden && Notification.permission === "granted";
  }

  async #toggle(): Promise<void> {
    const wasOn = this.#isOn;
    if (!wasOn && Notification.permission === "default") await Notification.requestPermission();
    this.#isWanted = !wasOn && Notification.permission === "granted";
    remember("notify", this.#isWanted ? "yes" : "no");
    this.#show();
  }

  #show(): void {
    if (this.#button.hidden) return;
    const isDenied = Notification.permission === "denied";
    this.#button.setAttribute("aria-pressed", String(this.#isOn));
    this.#button.disabled = isDenied;
    setText(this.#button, this.#isOn ? "Notifying" : "Notify me");
    this.#button.title = isDenied
      ? "This browser was told not to show notifications of this page: its settings can change that."
      : "When a branch breaks, and when it is mended";
  }
}

/** What is worth telling: only a change from passing to failing, or back. */
export function changeOf(
  row: BranchRow,
  before: BranchRow | undefined,
): "is broken" | "is mended" | undefined {
  const [was, is] = [before?.verdict ?? null, row.verdict];
  if (was === null || is === null || was === is) return undefined;
  if (is === "failed") return "is broken";
  return was === "failed" && is === "passed" ? "is mended" : undefined;
}
