import { AutobuildError } from "../errors.ts";
import { checkConfig } from "./config-check.ts";
import { planOf } from "./config-plan.ts";
import type { Config } from "./config-schema.ts";
import { badConfig, readConfigText, type ConfigText } from "./config-text.ts";
import type { Plan } from "./plan.ts";
import { readTypeScriptConfig } from "./typescript-config.ts";
import type { BuildContext } from "./when.ts";

/** The names that a configuration may have, at the top of the repository. One of them at a time. */
export const configFiles = [
  ".autobuild.yml",
  ".autobuild.yaml",
  ".autobuild.json",
  "autobuild.config.ts",
] as const;

/** Where configurations are looked for: a checkout, or a commit that is not checked out. */
export interface ConfigFolder {
  hasFile(name: string): Promise<boolean>;
  /** Undefined for a file of more than 1 MiB. */
  read(name: string): Promise<string | undefined>;
}

/** A configuration with the file that it came from. */
export interface FoundConfig {
  readonly config: Config;
  readonly source: ConfigText;
}

/**
 * Finds and checks the configuration of a repository; undefined when there is none.
 *
 * Throws `AUTOBUILD_BAD_CONFIG` with file, line and column for one that is wrong, and when there are several.
 */
export async function findConfig(folder: ConfigFolder): Promise<FoundConfig | undefined> {
  const there: string[] = [];
  for (const name of configFiles) if (await folder.hasFile(name)) there.push(name);
  const [file, another] = there;
  if (file === undefined) return undefined;
  if (another !== undefined)
    throw badConfig(`Expected one configuration, got ${there.join(" and ")}. Remove all but one.`);
  const text = await folder.read(file);
  if (text === undefined) throw badConfig(`Expected ${file} to be at most 1 MiB, got more.`);
  expectText(file, text);
  const source = file.endsWith(".ts")
    ? await readTypeScriptConfig(file, text)
    : readConfigText(file, text, file.endsWith(".json"));
  return { config: checkConfig(source), source };
}

/** Bytes that are no UTF-8 have been replaced: what would be run is not what somebody wrote. */
function expectText(file: string, text: string): void {
  const at = text.indexOf("\uFFFD");
  if (at === -1) return;
  const line = text.slice(0, at).split("\n").length;
  throw badConfig(
    `${file}:${line}: Expected UTF-8, got bytes that are none. Save the file as UTF-8.`,
  );
}

/** The plan that a checkout's configuration gives for a build; undefined when it has none. */
export async function readConfig(
  folder: ConfigFolder,
  context: BuildContext,
): Promise<Plan | undefined> {
  const found = await findConfig(folder);
  return found === undefined ? undefined : planOf(found.config, found.source, context);
}

/** Whether an error is about a configuration, and so the repository's to mend. */
export function isConfigError(error: unknown): error is AutobuildError {
  return error instanceof AutobuildError && error.code === "AUTOBUILD_BAD_CONFIG";
}
