import type { Page } from "playwright-core";

/**
 * The first rows on the screen and how far below the log's upper edge they are, once the page has come
 * to rest: a wheel is answered in the frames after it. What stands around the log may move and resize it meanwhile.
 */
export async function restingRows(page: Page): Promise<string[]> {
  const look = (): Promise<string[]> =>
    page.evaluate(() => {
      const { top, bottom } = document.querySelector(".log-scroller")!.getBoundingClientRect();
      const shown = [...document.querySelectorAll(".log-row:not(.pinned)")].flatMap((row) => {
        const place = row.getBoundingClientRect();
        if (place.bottom <= top || place.top >= bottom) return [];
        return [`${Math.round(place.top - top)} ${row.querySelector(".log-text")?.textContent}`];
      });
      return shown.slice(0, 10);
    });
  let shown = await look();
  for (let same = 0; same < 10;) {
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    const next = await look();
    same = next.join("\n") === shown.join("\n") ? same + 1 : 0;
    shown = next;
  }
  return shown;
}

/** Waits until a row with that text is in the page. */
export async function shows(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    (wanted) =>
      [...document.querySelectorAll(".log-text")].some(({ textContent }) => textContent === wanted),
    text,
  );
}
