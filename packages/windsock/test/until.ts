import { WindsockError } from "../src/index.ts";
import { settle, type VirtualClock } from "../src/testing/index.ts";

/** Moves time on, a little at a time, until something is so. */
export async function until(clock: VirtualClock, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 45_000;
  while (!isSo()) {
    if (performance.now() > deadline)
      throw new WindsockError(`Expected that ${String(isSo)}, in 45 s.`);
    await clock.advance(1);
    await settle();
  }
}
