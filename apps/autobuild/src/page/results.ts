import type { Artifact } from "../results/artifacts.ts";
import type { BuildTest, TestCounts } from "../store/result-store.ts";
import { make, makeName, setText } from "./dom.ts";
import { bytesText, duration } from "./format.ts";

/** What a build reported and kept, as `/api/builds/<number>/results` has it. */
export interface BuildResults {
  readonly counts: TestCounts;
  readonly problems: readonly string[];
  /** Those that failed first. */
  readonly tests: readonly BuildTest[];
  readonly artifacts: readonly (Artifact & { readonly url: string })[];
}

/** Tests that passed or were skipped, of which a page of elements is enough. */
const shownQuiet = 200;

/** Fetches what a build reported and kept. Undefined: there is no answer. */
export async function fetchResults(buildId: number): Promise<BuildResults | undefined> {
  const answer = await fetch(`/api/builds/${buildId}/results`).catch(() => undefined);
  return answer?.ok === true ? ((await answer.json()) as BuildResults) : undefined;
}

/** `2 of 104 failed`, `104 passed`; empty without tests. */
export function countText({ passed, failed, skipped }: TestCounts): string {
  const all = passed + failed + skipped;
  if (all === 0) return "";
  if (failed > 0) return `${failed} of ${all} failed`;
  return skipped === 0 ? `${passed} passed` : `${passed} passed, ${skipped} skipped`;
}

/** Fills the panel of tests: the ones that failed with all that is known of them, the rest in a fold. */
export function showTests(
  panel: HTMLElement,
  { tests, problems, counts }: BuildResults,
  nameOfStep: (position: number) => string,
): void {
  const failed = tests.filter(({ state }) => state === "failed");
  const quiet = tests.filter(({ state }) => state !== "failed");
  const list = make("ol", "tests");
  list.append(...failed.map((test) => failedTest(test, nameOfStep)));
  panel.replaceChildren(...problems.map((text) => make("p", "problem", text)), list);
  if (quiet.length === 0) return;
  const rest = make("details", "quiet");
  rest.open = failed.length === 0;
  const flaky = counts.flaky === 0 ? "" : `, ${counts.flaky} of them flaky`;
  rest.append(make("summary", "", `${counts.passed} passed${flaky}, ${counts.skipped} skipped`));
  const shown = make("ol", "tests");
  shown.append(...quiet.slice(0, shownQuiet).map(quietTest));
  rest.append(shown);
  const more = counts.passed + counts.skipped - Math.min(quiet.length, shownQuiet);
  if (more > 0) rest.append(make("p", "more", `and ${more} more`));
  panel.append(rest);
}

/** Fills the panel of files that the build kept. */
export function showArtifacts(
  panel: HTMLElement,
  { artifacts }: BuildResults,
  nameOfStep: (position: number) => string,
): void {
  const table = make("table", "artifacts");
  const head = table.createTHead().insertRow();
  for (const name of ["File", "Size", "Step", "SHA-256"]) {
    const cell = make("th", "", name);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const { name, bytes, position, sha256, url } of artifacts) {
    const row = body.insertRow();
    const link = make("a");
    link.href = url;
    link.download = "";
    const text = makeName("");
    setText(text, name);
    link.append(text);
    row.insertCell().append(link);
    row.insertCell().append(bytesText(bytes));
    const step = makeName("");
    setText(step, nameOfStep(position));
    row.insertCell().append(step);
    const code = make("code", "", sha256.slice(0, 12));
    code.title = sha256;
    row.insertCell().append(code);
  }
  panel.replaceChildren(table);
}

function failedTest(test: BuildTest, nameOfStep: (position: number) => string): HTMLLIElement {
  const item = make("li");
  item.dataset["state"] = "failed";
  const title = make("p", "test-name");
  title.append(sign("✗"), nameOf(test));
  if (test.isNew) title.append(make("span", "badge", "new"));
  const place =
    test.file === null ? [] : [test.line === null ? test.file : `${test.file}:${test.line}`];
  const facts = [nameOfStep(test.position), ...place, ...timeOf(test)].join(" · ");
  item.append(title, make("p", "test-facts", facts));
  if (test.message !== null) item.append(make("pre", "", test.message));
  if (test.details !== null) {
    const details = make("details");
    details.append(make("summary", "", "Details"), make("pre", "", test.details));
    item.append(details);
  }
  return item;
}

function quietTest(test: BuildTest): HTMLLIElement {
  const item = make("li");
  item.dataset["state"] = test.state;
  const title = make("p", "test-name");
  title.append(sign(test.state === "passed" ? "✓" : "–"), nameOf(test));
  if (test.isFlaky) title.append(make("span", "badge", "flaky"));
  if (test.state === "skipped") title.append(make("span", "badge", "skipped"));
  const [time = ""] = timeOf(test);
  title.append(make("span", "time", time));
  item.append(title);
  return item;
}

function sign(text: string): HTMLElement {
  const element = make("span", "sign", text);
  element.setAttribute("aria-hidden", "true");
  return element;
}

function nameOf({ suite, name }: BuildTest): HTMLElement {
  const element = makeName("");
  setText(element, suite === "" ? name : `${suite} › ${name}`);
  return element;
}

function timeOf({ durationMs }: BuildTest): string[] {
  return durationMs === null ? [] : [duration(durationMs)];
}
