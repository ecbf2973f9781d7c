import { createHash } from "node:crypto";
import os from "node:os";
import path from "node:path";

/** Where AutoBuilds keep their data unless they are told otherwise: a folder for each set of repositories. */
export function shareFolder(environment: NodeJS.ProcessEnv): string {
  const base = environment["XDG_DATA_HOME"];
  const share =
    base !== undefined && path.isAbsolute(base) ? base : path.join(os.homedir(), ".local", "share");
  return path.join(share, "autobuild");
}

/** The data folder of an AutoBuild that builds these repositories, of which the first has that name. */
export function dataDirOf(
  labels: readonly string[],
  name: string,
  environment: NodeJS.ProcessEnv,
): string {
  const digest = createHash("sha256")
    .update(labels.toSorted().join("\n"))
    .digest("hex")
    .slice(0, 8);
  const readable = name.replace(/[^\w.-]+/g, "-").replace(/^[-.]+/, "");
  return path.join(shareFolder(environment), `${readable}-${digest}`);
}
