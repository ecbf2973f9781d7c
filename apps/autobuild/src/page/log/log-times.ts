/** When lines were printed, by their first bytes. */
export class LogTimes {
  readonly #url: string;
  readonly #handleChange: () => void;
  #times: readonly (readonly [number, number])[] = [];
  #isFetching = false;
  #fetchedBytes = -1;

  constructor(url: string, handleChange: () => void) {
    this.#url = url;
    this.#handleChange = handleChange;
  }

  /** Asks for the times of a log that is so long by now; for those it has, it does not ask again. */
  async refresh(bytes: number): Promise<void> {
    if (this.#isFetching || bytes === this.#fetchedBytes) return;
    this.#isFetching = true;
    try {
      const answer = await fetch(`${this.#url}/times`);
      if (!answer.ok) return;
      const { times } = (await answer.json()) as { times: [number, number][] };
      this.#times = times;
      this.#fetchedBytes = bytes;
      this.#handleChange();
    } catch {
      // Offline: the next look asks again.
    } finally {
      this.#isFetching = false;
    }
  }

  /** In ms since 1970; undefined where it is not known. */
  at(byte: number): number | undefined {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle]?.[0] ?? 0) <= byte) low = middle + 1;
      else high = middle;
    }
    return this.#times[low - 1]?.[1];
  }

  get startMs(): number | undefined {
    return this.#times[0]?.[1];
  }
}

/** `0.4`, `12.3`, `2:05`, `1:02:05`: since the start. */
export function elapsedText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)}`;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}
