import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { messageOf } from "../errors.ts";
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

const maxErrorBytes = 16 * 1024;
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
  { timeoutMs, maxBytes }: EvaluationLimits = limits,
): Promise<ConfigText> {
  const end = await evaluate(text, timeoutMs, maxBytes);
  if (end.type !== "value") {
    const place = end.type === "failed" ? placeOf(end.message) : undefined;
    throw badConfig(
      sayAt(file, text, place, `Expected a configuration, ${sayEnd(end, timeoutMs, maxBytes)}`),
    );
  }
  return {
    file,
    text,
    value: JSON.parse(end.json),
    placeOf: (path, key) =>
      placeOfName(text, key ?? path.findLast((each) => typeof each === "string")),
  };
}

type End =
  | { readonly type: "value"; readonly json: string }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "timedOut" | "tooLarge" };

function evaluate(text: string, timeoutMs: number, maxBytes: number): Promise<End> {
  return new Promise((resolve) => {
    // The limit on CPU time holds also when this process dies under the evaluation.
    const cpuSeconds = Math.ceil(timeoutMs / 1000);
    const evaluation = spawn(
      "/bin/sh",
      [
        "-c",
        `ulimit -t ${cpuSeconds}; ulimit -d ${dataMiB * 1024}; exec "$@"`,
        "sh",
        process.execPath,
        "--permission",
        `--allow-fs-read=${child}`,
        `--max-old-space-size=${heapMiB}`,
        "--disable-warning=ExperimentalWarning",
        child,
      ],
      { cwd: "/", env: {}, stdio: ["pipe", "ignore", "pipe", "pipe"], detached: true },
    );
    let early: End | undefined;
    const kill = (end: End): void => {
      early ??= end;
      evaluation.kill("SIGKILL");
    };
    const timer = setTimeout(() => kill({ type: "timedOut" }), timeoutMs);
    const output: Buffer[] = [];
    let outputBytes = 0;
    let errors = Buffer.alloc(0);
    evaluation.stdio[3]?.on("data", (bytes: Buffer) => {
      outputBytes += bytes.length;
      if (outputBytes > maxBytes) kill({ type: "tooLarge" });
      else output.push(bytes);
    });
    evaluation.stderr?.on("data", (bytes: Buffer) => {
      if (errors.length < maxErrorBytes) errors = Buffer.concat([errors, bytes]);
    });
    // It may end before it has read everything.
    evaluation.stdin?.on("error", () => {});
    evaluation.stdin?.end(text);
    evaluation.once("error", (error) => {
      clearTimeout(timer);
      resolve({ type: "failed", message: messageOf(error) });
    });
    evaluation.once("close", (code) => {
      clearTimeout(timer);
      if (early !== undefined) resolve(early);
      else if (code === 0 && outputBytes > 0)
        resolve({ type: "value", json: Buffer.concat(output).toString("utf8") });
      else resolve({ type: "failed", message: errors.toString("utf8") });
    });
  });
}

function sayEnd(end: Exclude<End, { type: "value" }>, timeoutMs: number, maxBytes: number): string {
  switch (end.type) {
    case "timedOut":
      return `got none within ${timeoutMs / 1000} s. It may only put its value together: leave work to the steps.`;
    case "tooLarge":
      return `got one of more than ${maxBytes} bytes as JSON. Leave out what is no configuration.`;
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
