import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { AutobuildError, show, systemCodeOf } from "../errors.ts";
import { git } from "../git/git.ts";

/** What installing or removing did to one hook. */
export interface HookChange {
  readonly file: string;
  readonly change: "installed" | "updated" | "unchanged" | "removed" | "absent";
}

const begin = "# autobuild: begin (this part is rewritten by `autobuild hook install`)";
const end = "# autobuild: end";
const block = new RegExp(`${escapeExpression(begin)}\\n[^]*?${escapeExpression(end)}\\n`);

/**
 * The part of a hook that asks AutoBuild to look at a repository.
 *
 * Runs in the background, waits 5 seconds at most, and prints nothing: git never waits for it, and a
 * server that is down is nobody's error, since it looks by itself once it is up.
 */
function hookBlock(repository: string, url: string): string {
  const address = quote(new URL("/hooks/local", url).href);
  const body = quote(JSON.stringify({ repository }));
  const curl = `curl -fsS -m 5 -H 'Content-Type: application/json' --data-binary ${body} ${address}`;
  const wget = `wget -q -T 5 -t 1 -O /dev/null --header 'Content-Type: application/json' --post-data=${body} ${address}`;
  return `${begin}\n( ${curl} || ${wget} ) </dev/null >/dev/null 2>&1 &\n${end}\n`;
}

/**
 * Puts the part into the hooks of a repository: `post-receive` of a bare one, and `post-commit`, `post-merge` and
 * `post-rewrite` of one that somebody works in. What else stands in a hook stays.
 *
 * Throws `AUTOBUILD_BAD_SOURCE` for a folder that is no repository, or a hook that is no shell script.
 */
export async function installHooks(folder: string, url: string): Promise<HookChange[]> {
  const { repository, files } = await hooksOf(folder);
  const part = hookBlock(repository, url);
  const hooks = await Promise.all(
    files.map(async (file) => ({ file, text: (await readText(file)) ?? "" })),
  );
  // All are looked at before one is written.
  for (const { file, text } of hooks) {
    const first = text.split("\n")[0] ?? "";
    if (text === "" || /^#!.*\b(?:ba|da|k|z|a)?sh\b/.test(first)) continue;
    throw new AutobuildError(
      "AUTOBUILD_BAD_SOURCE",
      `Expected ${file} to be a shell script, got one that begins with ${show(first)}. Add to it what this does:\n${part}`,
    );
  }
  return Promise.all(
    hooks.map(async ({ file, text }): Promise<HookChange> => {
      const without = text.replace(block, "");
      const changed = without === "" ? `#!/bin/sh\n${part}` : insertAfterFirstLine(without, part);
      if (changed === text) return { file, change: "unchanged" };
      await replaceFile(file, changed);
      return { file, change: block.test(text) ? "updated" : "installed" };
    }),
  );
}

/** Takes the part out of the hooks again; a hook that had nothing else is removed. */
export async function removeHooks(folder: string): Promise<HookChange[]> {
  const { files } = await hooksOf(folder);
  return Promise.all(
    files.map(async (file): Promise<HookChange> => {
      const text = await readText(file);
      if (text === undefined || !block.test(text)) return { file, change: "absent" };
      const without = text.replace(block, "");
      if (/^#!\/bin\/sh\n*$/.test(without)) await rm(file);
      else await replaceFile(file, without);
      return { file, change: "removed" };
    }),
  );
}

async function hooksOf(folder: string): Promise<{ repository: string; files: string[] }> {
  const ask = (...args: string[]): Promise<string> =>
    // Without our own setting, which turns hooks off.
    git(["-C", folder, "-c", "core.hooksPath=", "rev-parse", ...args]);
  try {
    const isBare = (await ask("--is-bare-repository")).trim() === "true";
    const top = isBare ? ["--absolute-git-dir"] : ["--show-toplevel"];
    const repository = (await ask(...top)).replace(/\n$/, "");
    const configured = await git([
      "-C",
      folder,
      "config",
      "--local",
      "--get",
      "core.hooksPath",
    ]).catch(() => "");
    const common = (await ask("--path-format=absolute", "--git-common-dir")).replace(/\n$/, "");
    const hooks =
      configured.trim() === ""
        ? path.join(common, "hooks")
        : path.resolve(repository, configured.replace(/\n$/, ""));
    const names = isBare ? ["post-receive"] : ["post-commit", "post-merge", "post-rewrite"];
    return { repository, files: names.map((name) => path.join(hooks, name)) };
  } catch (error) {
    if (error instanceof AutobuildError && error.code === "AUTOBUILD_FOREIGN_OWNER") throw error;
    throw new AutobuildError(
      "AUTOBUILD_BAD_SOURCE",
      `Expected a git repository at ${folder}, and found none. Name its path.`,
      { cause: error },
    );
  }
}

// A script may end with exit or exec.
function insertAfterFirstLine(text: string, part: string): string {
  const lineEnd = text.indexOf("\n");
  if (lineEnd === -1) return `${text}\n${part}`;
  return text.slice(0, lineEnd + 1) + part + text.slice(lineEnd + 1);
}

/** Whole or not at all: git may run it at any moment. */
async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const next = `${file}.autobuild-${process.pid}`;
  await writeFile(next, text, { mode: 0o755, flag: "wx" });
  await chmod(next, 0o755);
  await rename(next, file);
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** One word for a shell, whatever stands in it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function escapeExpression(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
