import type { LogEnd } from "../../log/step-log-reader.ts";
import type { Group } from "../../terminal/groups.ts";
import { Folds } from "./folds.ts";
import { GroupTimes } from "./group-times.ts";
import type { LogDocument } from "./log-document.ts";

/** The groups of a log as a reader has them: which are open, and what stands beside their titles. */
export class LogGroups {
  readonly folds = new Folds();
  readonly times = new GroupTimes();
  readonly #byLine = new Map<number, Group>();
  readonly #places = new Map<Group, number>();
  /** What the reader, or following, has decided: whether it is closed. */
  readonly #choices = new Map<number, boolean>();
  #all: readonly Group[] = [];
  #errors: readonly number[] = [];
  #end: LogEnd | undefined;
  #key = "";

  /** The one whose title a line is. */
  at(line: number): Group | undefined {
    return this.#byLine.get(line);
  }

  /** Some are open while the log grows: the time beside them goes on. */
  get isRunning(): boolean {
    return this.#end === undefined && this.times.isRunning;
  }

  /** Running and failed groups are open, ended ones are closed, and what a reader chose stays. */
  update({ groups, errors }: LogDocument, end: LogEnd | undefined, isFollowing: boolean): void {
    this.times.update(groups, end !== undefined);
    this.#errors = errors;
    const openCount = groups.filter((group) => group.end === undefined).length;
    const last = groups.at(-1);
    const key = `${groups.length} ${last?.start} ${last?.end} ${last?.title} ${end === undefined} ${openCount}`;
    if (key === this.#key && end === this.#end) return;
    this.#key = key;
    this.#end = end;
    // Who reads further up is not moved: what ended meanwhile stays open.
    if (!isFollowing) {
      const known = new Map(this.#all.map((group) => [group.start, group]));
      for (const group of groups)
        if (
          group.end !== undefined &&
          known.has(group.start) &&
          known.get(group.start)?.end === undefined
        )
          this.#choices.set(group.start, false);
    }
    this.#all = [...groups];
    this.#byLine.clear();
    this.#places.clear();
    for (const [place, group] of groups.entries()) {
      this.#byLine.set(group.start, group);
      this.#places.set(group, place);
    }
    this.#fold();
  }

  isClosed(group: Group): boolean {
    const choice = this.#choices.get(group.start);
    if (choice !== undefined) return choice;
    if (group.end === undefined || group.wish === "open") return false;
    const { end } = group;
    const hasFailed =
      this.#end?.isFailure === true &&
      this.#errors.some((line) => line > group.start && line < end);
    return !hasFailed;
  }

  toggle(group: Group): void {
    this.#choices.set(group.start, !this.isClosed(group));
    this.#fold();
  }

  /** Opens those that a line is in. */
  open(line: number): void {
    for (const group of this.#all)
      if (group.start < line && line < (group.end ?? Infinity))
        this.#choices.set(group.start, false);
    this.#fold();
  }

  /** `running, 12 s`, or `120 lines, 3.4 s`. */
  noteOf(group: Group, lineCount: number): string {
    const isRunning = group.end === undefined && this.#end === undefined;
    const time = this.times.textOf(this.#places.get(group) ?? -1);
    const lines = (group.end ?? lineCount) - group.start - 1;
    const what = isRunning
      ? "running"
      : `${lines.toLocaleString("en")} ${lines === 1 ? "line" : "lines"}`;
    return time === "" ? what : `${what}, ${time}`;
  }

  #fold(): void {
    this.folds.set(this.#all, (group) => this.isClosed(group));
  }
}
