import type { Config, CronEntry } from "../plan/config-schema.ts";
import { findConfig, isConfigError, type ConfigFolder } from "../plan/config.ts";
import { asList, fitsWhen, type BuildContext } from "../plan/when.ts";

/** What a commit's configuration says about when to build. */
export interface TriggerRules {
  /** Whether a build is wanted; `changedPaths` is asked for only where it decides. */
  wants(
    context: Omit<BuildContext, "changedPaths">,
    changedPaths: () => Promise<readonly string[] | undefined>,
  ): Promise<boolean>;
  readonly cancelSuperseded: boolean;
  readonly buildForks: boolean;
  readonly cron: readonly CronEntry[];
}

/**
 * Reads the rules of a commit, or of a folder.
 *
 * With no configuration, and with one that is wrong, all branches are built and no tags: the build then says
 * what is wrong.
 */
export async function readRules(folder: ConfigFolder): Promise<TriggerRules> {
  try {
    return rulesOf((await findConfig(folder))?.config);
  } catch (error) {
    if (isConfigError(error)) return rulesOf(undefined);
    throw error;
  }
}

function rulesOf(config: Config | undefined): TriggerRules {
  const { when, cron = [], cancelSuperseded = true, buildForks = false } = config ?? {};
  return {
    async wants(context, changedPaths) {
      if (context.event === "manual" || context.event === "cron" || context.event === "watch")
        return true;
      // Tags are built where the configuration asks for them.
      if (context.tag !== undefined && when?.tag === undefined) return false;
      // Who names tags only means branches as they are without saying so.
      const named = context.tag === undefined && when?.branch === undefined ? omitTag(when) : when;
      if (!fitsWhen(named, context)) return false;
      if (named?.path === undefined) return true;
      return fitsWhen(named, { ...context, changedPaths: await changedPaths() });
    },
    cancelSuperseded,
    buildForks,
    cron: asList(cron).map((entry) => (typeof entry === "string" ? { schedule: entry } : entry)),
  };
}

function omitTag(when: Config["when"]): Config["when"] {
  if (when === undefined) return undefined;
  const { tag: _tag, ...rest } = when;
  return rest;
}
