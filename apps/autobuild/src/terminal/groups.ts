import { windowRows } from "./row-window.ts";
import type { Row } from "./row.ts";

/** Lines that can be folded under a title. */
export interface Group {
  /** The row with the title. */
  readonly start: number;
  /** The first row that no longer belongs to it; absent while it is open. */
  readonly end?: number;
  /** Whether the row before `end` is nothing but its end mark. */
  readonly hasEndRow?: boolean;
  readonly title: string;
  /** What is at the start of its row instead of the title, in characters. */
  readonly markLength: number;
  readonly depth: number;
  /** What its author wants: `+++` is open, `collapsed=true` is closed. */
  readonly wish?: "open" | "closed";
  /** Of the byte where it begins, and of the one where it ends. */
  readonly from: number;
  readonly until?: number;
}

/** A group that has not ended, on the way to what is open now. */
interface OpenGroup {
  readonly dialect: "command" | "section" | "dashes";
  readonly name: string;
  readonly index: number;
}

/** What a tracker must know to go on. Plain JSON. */
export interface GroupsState {
  readonly groups: readonly Group[];
  readonly open: readonly OpenGroup[];
  /** A `--- ` and a `+++ ` that may be the head of a diff. */
  readonly pending?: readonly Dashes[];
  /** Ended by rows that may still be erased. */
  readonly closed?: readonly ClosedGroup[];
}

/** A group with the row that ended it. */
interface ClosedGroup extends OpenGroup {
  readonly by: number;
}

interface Dashes {
  readonly index: number;
  readonly offset: number;
  readonly text: string;
}

const maxGroups = 5000;
const maxDepth = 16;
const maxTitle = 200;

/**
 * The groups of a log, in three dialects:
 *
 *     ::group::TITLE                  ::endgroup::             GitHub Actions; not nested
 *     section_start:TIME:NAME\r TITLE section_end:TIME:NAME\r  GitLab; nested, by name
 *     --- TITLE, ~~~ TITLE, +++ TITLE (open), ^^^ +++          Buildkite; up to the next one
 *
 * `^^^ +++` opens the group that it stands in. The head of a diff (`--- a`, `+++ b`) and Go's
 * `--- FAIL:` begin no group. Beyond 5,000 groups marks are lines like any other.
 */
export class Groups {
  readonly #groups: Group[];
  #open: OpenGroup[];
  #pending: readonly Dashes[];
  /** In the order of the rows that ended them. */
  #closed: ClosedGroup[];

  constructor(state?: GroupsState) {
    this.#groups = [...(state?.groups ?? [])];
    this.#open = [...(state?.open ?? [])];
    this.#pending = state?.pending ?? [];
    this.#closed = [...(state?.closed ?? [])];
  }

  /** In the order of their starts. Ended groups stay in their place. */
  get all(): readonly Group[] {
    return this.#groups;
  }

  /** What a tracker needs besides the groups themselves, where no row before this one is erased any more. */
  state(firstRow: number): Omit<GroupsState, "groups"> {
    const closed = this.#closed.filter(({ by }) => by >= firstRow);
    return {
      open: this.#open.slice(),
      ...(this.#pending.length === 0 ? {} : { pending: this.#pending }),
      ...(closed.length === 0 ? {} : { closed }),
    };
  }

  /** The rows from this one on were erased: what they began is gone, and what they ended is open again. */
  rewind(index: number): void {
    for (
      let last = this.#groups.at(-1);
      last !== undefined && last.start >= index;
      last = this.#groups.at(-1)
    )
      this.#groups.pop();
    const count = this.#groups.length;
    const open = this.#open.filter((one) => one.index < count);
    for (
      let last = this.#closed.at(-1);
      last !== undefined && last.by >= index;
      last = this.#closed.at(-1)
    ) {
      this.#closed.pop();
      const group = this.#groups[last.index];
      if (group === undefined) continue;
      const { end: _end, until: _until, hasEndRow: _hasEndRow, ...rest } = group;
      this.#groups[last.index] = rest;
      open.push({ dialect: last.dialect, name: last.name, index: last.index });
    }
    this.#open = open.toSorted((left, right) => left.index - right.index);
    this.#pending = this.#pending.filter((one) => one.index < index);
  }

  /** A line has ended at byte `offset`. True when a group has begun or ended. */
  line(row: Row, index: number, offset: number): boolean {
    const text = row.printedText;
    let isChanged = this.#pending.length > 0 && this.#settle(text);
    for (const mark of row.sections) {
      isChanged = true;
      if (mark.type === "start") {
        const wish = mark.isCollapsed ? { wish: "closed" as const } : {};
        this.#begin("section", mark.name, { index, offset: row.offset, title: text, ...wish }, 0);
      } else if (text === "") this.#endSection(mark.name, index + 1, offset, true);
      else this.#endSection(mark.name, index, row.offset, false);
    }
    switch (text.charCodeAt(0)) {
      case 0x3a: // :
        return this.#command(text, "::group::", "::endgroup::", row, index, offset) || isChanged;
      case 0x23: // #
        return this.#command(text, "##[group]", "##[endgroup]", row, index, offset) || isChanged;
      case 0x2d: // -
      case 0x7e: // ~
      case 0x2b: // +
        if (!/^(?:---|~~~|\+\+\+) \S/.test(text) || /^--- (?:FAIL|PASS|SKIP|BENCH): /.test(text))
          break;
        if (text.startsWith("--- ") || this.#pending.length > 0) {
          this.#pending = [...this.#pending, { index, offset: row.offset, text }];
          break;
        }
        this.#dashes({ index, offset: row.offset, text });
        return true;
      case 0x5e: // ^
        if (text.startsWith("^^^ +++")) {
          const open =
            this.#open.findLast(({ dialect }) => dialect === "dashes") ?? this.#open.at(-1);
          if (open !== undefined) this.#change(open.index, { wish: "open" });
          return open !== undefined;
        }
    }
    return isChanged;
  }

  #command(
    text: string,
    start: string,
    end: string,
    row: Row,
    index: number,
    offset: number,
  ): boolean {
    if (text.startsWith(start)) {
      this.#endUpTo("command", index, row.offset, false);
      const title = text.slice(start.length);
      this.#begin("command", "", { index, offset: row.offset, title }, start.length);
      return true;
    }
    if (text.startsWith(end)) {
      this.#endUpTo("command", index + 1, offset, true);
      return true;
    }
    return false;
  }

  #dashes({ index, offset, text }: Dashes): void {
    this.#endUpTo("dashes", index, offset, false);
    const wish = text.startsWith("+") ? { wish: "open" as const } : {};
    this.#begin("dashes", "", { index, offset, title: text.slice(4), ...wish }, 4);
  }

  /** The lines behind `--- a` say whether that was the head of a diff: then it is no group. */
  #settle(text: string): boolean {
    const pending = this.#pending;
    if (pending.length === 1 && text.startsWith("+++ ")) return false;
    this.#pending = [];
    if (pending.length === 2 && text.startsWith("@@ ")) return false;
    for (const one of pending) this.#dashes(one);
    return true;
  }

  #begin(
    dialect: OpenGroup["dialect"],
    name: string,
    group: { index: number; offset: number; title: string; wish?: "open" | "closed" },
    markLength: number,
  ): void {
    if (this.#groups.length >= maxGroups || this.#open.length >= maxDepth) return;
    this.#groups.push({
      start: group.index,
      title: group.title.trim().slice(0, maxTitle) || name,
      markLength,
      depth: this.#open.length,
      from: group.offset,
      ...(group.wish === undefined ? {} : { wish: group.wish }),
    });
    this.#open.push({ dialect, name, index: this.#groups.length - 1 });
  }

  #endSection(name: string, end: number, until: number, hasEndRow: boolean): void {
    const at = this.#open.findLastIndex((one) => one.dialect === "section" && one.name === name);
    if (at !== -1) this.#end(at, end, until, hasEndRow);
  }

  /** Ends the innermost group of a dialect, and what is open within it. */
  #endUpTo(dialect: OpenGroup["dialect"], end: number, until: number, hasEndRow: boolean): void {
    const at = this.#open.findLastIndex((one) => one.dialect === dialect);
    if (at !== -1) this.#end(at, end, until, hasEndRow);
  }

  #end(at: number, end: number, until: number, hasEndRow: boolean): void {
    const by = hasEndRow ? end - 1 : end;
    const first = this.#closed.findIndex((one) => one.by > by - windowRows);
    if (first !== 0) this.#closed = first === -1 ? [] : this.#closed.slice(first);
    this.#closed.push(...this.#open.slice(at).map((one) => ({ ...one, by })));
    for (const { index } of this.#open.slice(at + 1)) this.#change(index, { end, until });
    const last = this.#open[at];
    if (last !== undefined)
      this.#change(last.index, { end, until, ...(hasEndRow ? { hasEndRow } : {}) });
    this.#open = this.#open.slice(0, at);
  }

  #change(index: number, changes: Partial<Group>): void {
    const group = this.#groups[index];
    if (group !== undefined) this.#groups[index] = { ...group, ...changes };
  }
}
