import type { Build, Step } from "../build/build.ts";
import { make, part, setText } from "./dom.ts";
import {
  ago,
  duration,
  elapsedMs,
  marks,
  roughly,
  stateOf,
  stepMs,
  stepSigns,
  usualMs,
} from "./format.ts";

/** What stands above the log: which build it is, how it goes, its steps, and what can be done. */
export class BuildHead {
  readonly #mark = part("log-mark");
  readonly #title = part("log-title");
  readonly #state = part("log-state");
  readonly #facts = part("log-facts");
  readonly #steps = part("steps");
  readonly #live = part("live");
  readonly #liveLink = part<HTMLAnchorElement>("live-link");
  readonly #rawLink = part<HTMLAnchorElement>("raw-link");
  readonly #rebuild = part<HTMLButtonElement>("rebuild");
  readonly #cancel = part<HTMLButtonElement>("cancel");
  readonly #progress = part("progress");
  readonly #progressBar = part("progress-bar");
  readonly #handleStep: (step: Step) => void;

  /** `handleStep` is called when somebody wants to see where a step begins. */
  constructor(handleStep: (step: Step) => void) {
    this.#handleStep = handleStep;
  }

  /** `selectedId` undefined: live. `build` undefined: there is none, or it is not known yet. */
  show(
    build: Build | undefined,
    selectedId: number | undefined,
    builds: readonly Build[],
    nowMs: number,
  ): void {
    this.#live.hidden = selectedId !== undefined;
    this.#liveLink.hidden = selectedId === undefined;
    this.#mark.hidden = build === undefined;
    this.#rawLink.hidden = build === undefined || build.startedMs === null;
    const isOver = build !== undefined && build.state !== "queued" && build.state !== "running";
    this.#rebuild.hidden = !isOver;
    this.#cancel.hidden = build === undefined || isOver;
    if (build === undefined) {
      setText(this.#title, selectedId === undefined ? "Nothing was built yet" : `#${selectedId}`);
      setText(this.#state, "");
      setText(this.#facts, "");
      this.#steps.replaceChildren();
      this.#progress.hidden = true;
      return;
    }
    this.#mark.dataset["state"] = build.state;
    setText(this.#mark, marks[build.state].sign);
    setText(this.#title, `#${build.id} ${build.subject}`);
    this.#title.title = build.subject;
    this.#rawLink.href = `/builds/${build.id}/log`;
    this.#showState(build, builds, nowMs);
    const again = build.causeBuildId === null ? "" : ` · again, after build ${build.causeBuildId}`;
    setText(
      this.#facts,
      `${build.repository} ${build.branch} · ${build.sha.slice(0, 7)} · ${build.author} · committed ${ago(nowMs - build.committedMs)}${again}`,
    );
    this.#showSteps(build, nowMs);
  }

  #showState(build: Build, builds: readonly Build[], nowMs: number): void {
    const time = elapsedMs(build, nowMs);
    const usual = build.state === "running" ? usualMs(build, builds) : undefined;
    const said = [
      build.reason === null ? stateOf(build) : `${marks[build.state].word}: ${build.reason}`,
    ];
    if (build.state === "queued") {
      const before = builds.filter(
        ({ id, state }) => id < build.id && (state === "queued" || state === "running"),
      ).length;
      if (before > 0) said.push(`${before} before it`);
    }
    if (time !== undefined) said.push(duration(time));
    this.#progress.hidden = usual === undefined || time === undefined;
    if (usual !== undefined && time !== undefined) {
      said.push(time < usual ? `about ${roughly(usual - time)} left` : "longer than usual");
      const percent = Math.round(Math.min(97, (100 * time) / usual));
      this.#progressBar.style.width = `${percent}%`;
      this.#progress.setAttribute("aria-valuenow", String(percent));
    }
    this.#state.dataset["state"] = build.state;
    setText(this.#state, said.join(" · "));
  }

  /** The buttons are kept while the steps are the same ones, so that focus stays. */
  #showSteps({ id, steps }: Build, nowMs: number): void {
    const key = `${id} ${steps.length}`;
    if (this.#steps.dataset["key"] !== key || this.#steps.childElementCount !== steps.length) {
      this.#steps.dataset["key"] = key;
      this.#steps.replaceChildren(
        ...steps.map((step) => {
          const button = make("button");
          button.type = "button";
          button.title = step.command;
          const sign = make("span", "sign");
          sign.setAttribute("aria-hidden", "true");
          button.append(
            sign,
            make("span", "name", step.name),
            make("span", "time"),
            make("span", "sr"),
          );
          button.addEventListener("click", () => this.#handleStep(step));
          const item = make("li");
          item.append(button);
          return item;
        }),
      );
    }
    for (const [index, step] of steps.entries()) {
      const button = this.#steps.children[index]?.firstElementChild as HTMLButtonElement;
      const [sign, , time, state] = button.children as unknown as HTMLElement[];
      const ms = stepMs(step, nowMs);
      button.dataset["state"] = step.state;
      button.disabled = step.state === "waiting" || step.state === "skipped";
      if (sign !== undefined) setText(sign, stepSigns[step.state]);
      if (time !== undefined) setText(time, ms === undefined ? "" : ` ${duration(ms)}`);
      if (state !== undefined) setText(state, `, ${step.reason ?? step.state}`);
    }
  }
}
