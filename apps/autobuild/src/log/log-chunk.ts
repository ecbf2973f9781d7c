import type { LogChunk } from "windsock";
import type { AutobuildEvents } from "../build/builds.ts";
import type { EventSource } from "../events.ts";
import type { LogSlice } from "./log-reader.ts";

/** Whole lines as one message, without the newline that ends it: a frame is what it shows. */
export function chunkOf({ text, next }: LogSlice): LogChunk {
  return { messages: text === "" ? [] : [text.replace(/\n$/, "")], next };
}

/** Runs `tell` after an event, once for all of them in one round of the event loop, until the signal. */
export function whenever<Name extends keyof AutobuildEvents & string>(
  on: EventSource<AutobuildEvents>["on"],
  name: Name,
  signal: AbortSignal,
  tell: () => void,
): void {
  let isDue = false;
  const off = on(name, () => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      if (!signal.aborted) tell();
    });
  });
  signal.addEventListener("abort", off, { once: true });
}
