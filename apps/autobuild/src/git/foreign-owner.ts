import { readFile, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { quoted } from "../shell-word.ts";

/**
 * Says in plain words what git means by "dubious ownership": a repository of somebody else, whose configuration
 * could run programs as us. Undefined where git complains of something else.
 *
 * @param said what git printed on its standard error
 */
export async function explainForeignOwner(said: string): Promise<string | undefined> {
  const [, folder] = /detected dubious ownership in repository at '([^\n]*)'/.exec(said) ?? [];
  if (folder === undefined) return undefined;
  // Git asks of one command for the work tree and of another for the folder within it.
  const repository = folder.replace(/\/\.git\/?$/, "");
  const own = path.join(repository, ".git");
  const hasOwn = await stat(own).then(
    () => true,
    () => false,
  );
  const uid = await stat(folder).then(
    (status) => status.uid,
    () => undefined,
  );
  const owner = uid === undefined ? "another user" : await nameOf(uid);
  const me = os.userInfo();
  const trust = [repository, ...(hasOwn ? [own] : [])]
    .map((each) => `git config --global --add safe.directory ${quoted(each)}`)
    .join(" && ");
  return (
    `The repository at ${repository} belongs to ${owner}, and AutoBuild runs as ${me.username} (user ${me.uid}): ` +
    `git reads repositories of other users only when told to, since their configuration can run programs. ` +
    `If you trust it, run as ${me.username}: ${trust}`
  );
}

async function nameOf(uid: number): Promise<string> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  for (const line of users.split("\n")) {
    const [name, , id] = line.split(":");
    if (id === String(uid)) return `${name} (user ${uid})`;
  }
  return `user ${uid}`;
}
