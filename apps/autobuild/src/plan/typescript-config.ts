import { fileURLToPath } from "node:url";
import { messageOf } from "../errors.ts";
import { cookieVariable } from "../run/environment.ts";
import { BoundedProcess, type BoundedEnd } from "./bounded-process.ts";
import { badConfig, sayAt, type ConfigText, type Place } from "./config-text.ts";

const child = fileURLToPath(new URL("./typescript-child.ts", import.meta.url));

/** Bounds of an evaluation. */
export interface EvaluationLimits {
  /** @default 10_000 */
  readonly timeoutMs: number;
  /** The configuration as JSON. @default 1 MiB */
  readonly maxBytes: number;
}

const limits: EvaluationLimits = { timeoutMs: 10_000, maxBytes: 1024 * 1024 };

const heapMiB = 128;
/** With what is outside the heap, such as buffers. */
const dataMiB = 1024;

/**
 * Evaluates the text of an `autobuild.config.ts` in a process of its own.
 *
 * It is the repository's code and gets what its steps get less: an empty environment, no files, no network, no
 * further processes (Node's permission model), 10 seconds, 128 MiB of heap, 1 MiB of result. It is read by itself: it
 * may import `autobuild/config` and Node's modules only.
 */
export async function readTypeScriptConfig(
  file: string,
  text: string,
  allowed: EvaluationLimits = limits,
): Promise<ConfigText> {
  const end = await evaluate(text, allowed);
  if (end.type !== "answered") {
    const place = end.type === "failed" ? placeOf(end.message) : undefined;
    throw badConfig(sayAt(file, text, place, `Expected a configuration, ${sayEnd(end, allowed)}`));
  }
  return {
    file,
    text,
    value: parse(file, end.answer),
    placeOf: (path, key) =>
      placeOfName(text, key ?? path.findLast((each) => typeof each === "string")),
  };
}

/** It can write to where its value goes, as any code in its process can. */
function parse(file: string, answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch (error) {
    throw badConfig(
      `${file}: Expected a configuration, got what is no JSON: ${messageOf(error).slice(0, 200)}. Export the value, and write nothing to descriptor 3.`,
    );
  }
}

function evaluate(text: string, { timeoutMs, maxBytes }: EvaluationLimits): Promise<BoundedEnd> {
  const cookie = process.env[cookieVariable];
  return new BoundedProcess({
    argv: ["--permission", `--allow-fs-read=${child}`, child],
    cwd: "/",
    // By which what a build left behind is found. It is taken away before the configuration is there to see it.
    environment: cookie === undefined ? {} : { [cookieVariable]: cookie },
    timeoutMs,
    maxBytes,
    heapMiB,
    dataMiB,
  }).ask(text);
}

function sayEnd(
  end: Exclude<BoundedEnd, { type: "answered" }>,
  { timeoutMs, maxBytes }: EvaluationLimits,
): string {
  switch (end.type) {
    case "timedOut":
      return `got none within ${timeoutMs / 1000} s. It may only put its value together: leave work to the steps.`;
    case "tooLarge":
      return `got one of more than ${maxBytes} bytes as JSON. Leave out what is no configuration.`;
    case "killed":
      return "and the build was ended.";
    case "failed": {
      if (/heap out of memory|allocat\w+ (?:memory|failed)/.test(end.message))
        return `and it ran out of memory. It may only put its value together: leave work to the steps.`;
      const line = /^(?:\w*Error(?: \[\w+\])?|\w+): (.*)$/m.exec(end.message)?.[0];
      const said = line ?? "it ended without one";
      return `got an error: ${said.slice(0, 500)}${/ERR_ACCESS_DENIED/.test(end.message) ? " It is evaluated without files, network and further processes." : ""}`;
    }
  }
}

/** Where Node says that an error is: in the first line that names the file. Stripped types leave lines and columns as they are. */
function placeOf(said: string): Place | undefined {
  const found = /autobuild:autobuild\.config\.ts:(\d+)(?::(\d+))?/.exec(said);
  if (found === null) return undefined;
  return { line: Number(found[1]), column: Number(found[2] ?? 1), width: 1 };
}

/** Where a field is written, if that is so in one place only: a value does not know where it came from. */
function placeOfName(text: string, name: string | undefined): Place | undefined {
  if (name === undefined || !/^[$\w]+$/.test(name)) return undefined;
  const found = [
    ...text.matchAll(new RegExp(`(?<![\\w$.])["']?${name.replaceAll("$", "\\$")}["']?\\s*:`, "g")),
  ];
  const [only, another] = found;
  if (only === undefined || another !== undefined) return undefined;
  const before = text.slice(0, only.index).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, width: name.length };
}
