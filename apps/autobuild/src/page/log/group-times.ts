import type { Group } from "../../terminal/groups.ts";
import { elapsedText } from "./log-times.ts";

interface Span {
  readonly startMs: number | null;
  readonly endMs: number | null;
}

/** When groups began and ended, by the server's clock: as it says, and for what came since then by when it came. */
export class GroupTimes {
  #spans: Span[] = [];
  readonly #open = new Set<number>();
  /** How much the server's clock is ahead of this one. */
  #aheadMs = 0;

  /** What the server says, in the order of the groups, and what its clock shows. */
  adopt(times: readonly (readonly [number | null, number | null])[], nowMs: number): void {
    this.#aheadMs = nowMs - Date.now();
    this.#spans = times.map(([startMs, endMs]) => ({ startMs, endMs }));
    this.#open.clear();
    for (const [place, { endMs }] of this.#spans.entries())
      if (endMs === null) this.#open.add(place);
  }

  /** Some have begun and not ended. */
  get isRunning(): boolean {
    return this.#open.size > 0;
  }

  /** Groups have come or ended. `isOver`: the log has ended, and all of them with it. */
  update(groups: readonly Group[], isOver: boolean): void {
    const nowMs = this.#nowMs;
    for (let place = this.#spans.length; place < groups.length; place++) {
      this.#spans.push({ startMs: nowMs, endMs: null });
      this.#open.add(place);
    }
    for (const place of this.#open) {
      const span = this.#spans[place];
      // Those that the server knows already may not be read here yet.
      const hasEnded = groups[place]?.end !== undefined || isOver;
      if (span === undefined || !hasEnded) continue;
      this.#spans[place] = { ...span, endMs: nowMs };
      this.#open.delete(place);
    }
  }

  /** How long it took or has taken so far: `3.4 s`, `12 s`, `2:05`; nothing where it is not known. */
  textOf(place: number): string {
    const { startMs = null, endMs = null } = this.#spans[place] ?? {};
    if (startMs === null) return "";
    const ms = Math.max(0, (endMs ?? this.#nowMs) - startMs);
    if (ms >= 60_000) return elapsedText(ms);
    return endMs === null ? `${Math.floor(ms / 1000)} s` : `${elapsedText(ms)} s`;
  }

  get #nowMs(): number {
    return Date.now() + this.#aheadMs;
  }
}
