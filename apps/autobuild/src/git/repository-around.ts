import { git } from "./git.ts";

/** The work tree that a folder lies in. Rejects as git does where it lies in none. */
export async function repositoryAround(folder: string): Promise<string> {
  return (await git(["-C", folder, "rev-parse", "--show-toplevel"])).replace(/\n$/, "");
}
