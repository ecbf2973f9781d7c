import { progressOf } from "../build/forecast.ts";
import type { BranchRow } from "../build/overview.ts";
import { make, makeMark, makeName, setChildren, setText } from "./dom.ts";
import { ago, leftText, marks, standing, stateOf } from "./format.ts";
import { timeOfDay } from "./indicator.ts";

/** Beyond these, only what does not pass has a tile: a wall is read from five metres. */
const maxTiles = 30;
/** What stands still for days burns into a screen: everything moves by some pixels each minute. */
const shiftMs = 60_000;
const shifts = [
  [0, 0],
  [6, 3],
  [3, 8],
  [-4, 5],
  [-6, -3],
  [2, -6],
] as const;

const urgency = ["failed", "lost", "running", "queued", "cancelled", "passed"] as const;

interface Tile {
  readonly link: HTMLAnchorElement;
  readonly mark: HTMLElement;
  readonly repository: HTMLElement;
  readonly branch: HTMLElement;
  readonly state: HTMLElement;
  readonly subject: HTMLElement;
  readonly facts: HTMLElement;
  readonly bar: HTMLElement;
}

/** All branches as tiles that fill the screen, to be read from across a room. */
export class Wall {
  readonly #section: HTMLElement;
  readonly #title = make("h1", "sr", "Wall");
  readonly #tiles = make("div", "tiles");
  readonly #foot = make("p", "wall-foot");
  readonly #clock = make("span", "clock");
  readonly #sum = make("span", "sum");
  readonly #stale = make("strong", "wall-stale");
  readonly #known = new Map<string, Tile>();
  #lock: WakeLockSentinel | undefined;

  constructor(section: HTMLElement) {
    this.#section = section;
    this.#title.id = "wall-title";
    const leave = make("a", "leave", "Leave the wall");
    leave.href = "/";
    this.#foot.append(this.#clock, this.#sum, this.#stale, leave);
    section.append(this.#title, this.#tiles, this.#foot);
  }

  /** A screen that nobody touches stays on while it shows this, where the browser can do that. */
  async stayAwake(isOn: boolean): Promise<void> {
    const before = this.#lock;
    this.#lock = undefined;
    await before?.release().catch(() => {});
    if (isOn && "wakeLock" in navigator)
      this.#lock = await navigator.wakeLock.request("screen").catch(() => undefined);
  }

  show(rows: readonly BranchRow[], stale: string, nowMs: number): void {
    const bad = rows.filter((row) => wallState(row) !== "passed");
    const shown = (rows.length > maxTiles ? bad : rows)
      .toSorted((a, b) => urgency.indexOf(wallState(a)) - urgency.indexOf(wallState(b)))
      .slice(0, maxTiles);
    const keys = new Set<string>();
    setChildren(
      this.#tiles,
      shown.map((row) => {
        const key = JSON.stringify([row.repositoryId, row.branch]);
        keys.add(key);
        const tile = this.#known.get(key) ?? this.#add(key);
        fill(tile, row, nowMs);
        return tile.link;
      }),
    );
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
    this.#layOut(shown.length);
    setText(this.#sum, sumOf(rows, shown.length));
    setText(this.#clock, timeOfDay(nowMs).slice(0, 5));
    setText(this.#stale, stale);
    const [x, y] = shifts[Math.floor(Date.now() / shiftMs) % shifts.length] ?? [0, 0];
    this.#section.style.translate = `${x}px ${y}px`;
  }

  /** As many columns as make the tiles wide rather than high. */
  #layOut(count: number): void {
    const { clientWidth, clientHeight } = this.#tiles;
    const aspect = clientHeight === 0 ? 1 : clientWidth / clientHeight;
    const columns = Math.max(1, Math.round(Math.sqrt((count * aspect) / 2.4)));
    const rows = Math.max(1, Math.ceil(count / columns));
    this.#tiles.style.setProperty("--columns", String(columns));
    this.#tiles.style.setProperty("--rows", String(rows));
  }

  #add(key: string): Tile {
    const tile: Tile = {
      link: make("a", "tile"),
      mark: makeMark(),
      repository: makeName("repository"),
      branch: makeName("branch"),
      state: make("b", "state"),
      subject: makeName("subject"),
      facts: make("span", "facts"),
      bar: make("span", "bar"),
    };
    tile.bar.append(make("span"));
    const name = make("span", "name");
    name.append(tile.repository, " ", tile.branch);
    tile.link.append(tile.mark, name, tile.state, tile.subject, tile.facts, tile.bar);
    this.#known.set(key, tile);
    return tile;
  }
}

/** What a tile is coloured by: a branch that fails stays red while it is tried again. */
function wallState({ build, verdict }: BranchRow): (typeof urgency)[number] {
  if (build.state === "running" || build.state === "queued")
    return verdict === "failed" ? "failed" : build.state;
  return build.state === "cancelled" ? (verdict ?? "cancelled") : build.state;
}

function fill(tile: Tile, row: BranchRow, nowMs: number): void {
  const { build } = row;
  const state = wallState(row);
  tile.link.href = `/builds/${build.id}`;
  tile.link.dataset["state"] = state;
  tile.link.dataset["running"] = String(build.state === "running");
  setText(tile.mark, marks[state].sign);
  setText(tile.repository, row.repository);
  setText(tile.branch, row.branch);
  const progress = row.forecast === null ? undefined : progressOf(build, row.forecast, nowMs);
  const left = progress === undefined ? "" : ` · ${leftText(progress)}`;
  setText(tile.state, `${stateOf(build)}${left}`);
  setText(tile.subject, build.subject);
  const atMs = build.finishedMs ?? build.startedMs ?? build.queuedMs;
  const stands = standing(row, nowMs);
  setText(
    tile.facts,
    [build.author, ago(nowMs - atMs), ...(stands === "" ? [] : [stands])].join(" · "),
  );
  tile.bar.hidden = build.state !== "running";
  tile.bar.dataset["known"] = String(progress !== undefined);
  (tile.bar.firstElementChild as HTMLElement).style.width =
    progress === undefined ? "" : `${(100 * progress.fraction).toFixed(1)}%`;
}

/** `7 branches: 1 failing, 2 running` */
function sumOf(rows: readonly BranchRow[], shown: number): string {
  const failing = rows.filter((row) => wallState(row) === "failed").length;
  const said = [failing === 0 ? "none failing" : `${failing} failing`];
  const running = rows.filter(({ build }) => build.state === "running").length;
  if (running > 0) said.push(`${running} running`);
  const more = rows.length - shown;
  const isGood = rows.filter((row) => wallState(row) !== "passed").length <= shown;
  if (more > 0) said.push(isGood ? `${more} more pass` : `${more} more`);
  return rows.length === 0
    ? "no builds yet"
    : `${rows.length} ${rows.length === 1 ? "branch" : "branches"}: ${said.join(", ")}`;
}
