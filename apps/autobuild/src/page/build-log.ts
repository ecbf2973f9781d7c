import type { Step } from "../build/build.ts";
import { Connection } from "./connection.ts";
import { ConsoleView } from "./console-view.ts";
import { make } from "./dom.ts";

/** A log that is shown. */
export interface ShownLog {
  /** Goes to where a step begins. False when that is not here (yet). */
  showStep(step: Step): boolean;
  destroy(): void;
}

/** Shows the log of a build as it grows. */
export function showLog(container: HTMLElement, buildId: number): ShownLog {
  const scroller = make("div", "scroller");
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", "Log");
  const cut = make("p", "cut", "Earlier lines are not shown here; the raw log has them all.");
  cut.hidden = true;
  const pre = make("pre", "console");
  const toEnd = make("button", "to-end", "Go to the end");
  toEnd.type = "button";
  toEnd.hidden = true;
  scroller.append(cut, pre);
  container.replaceChildren(scroller, toEnd);
  const view = new ConsoleView({ scroller, pre, toEnd, cut });
  const encoder = new TextEncoder();
  let offset = 0;
  const connection = new Connection({
    path: () => `/websocket/log/${buildId}?from=${offset}`,
    handleMessage(text) {
      offset += encoder.encode(text).length + 1;
      view.append(text);
    },
    handleState() {},
  });
  return {
    showStep: ({ name, command }) => view.show(`=== step ${name}: ${command.split("\n", 1)[0]}`),
    destroy() {
      connection.close();
      container.replaceChildren();
    },
  };
}
