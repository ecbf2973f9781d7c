import { commitUrl } from "../git/commit-url.ts";
import { originWith } from "../git/origin-remote.ts";
import type { RepositorySource } from "../git/source.ts";
import type { BuildEvent } from "../plan/when.ts";
import type { BuildFolders } from "../run/build-folders.ts";
import type { Machine } from "../run/machine.ts";
import type { DetailStore } from "../store/detail-store.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { Build } from "./build.ts";
import { recordedEntries } from "./recorded-plan.ts";
import type { Trigger } from "./trigger.ts";

/** What is known about a build besides what every list shows. Plain JSON. */
export interface BuildDetails {
  readonly event: BuildEvent;
  /** What had it queued; null for builds from before that was kept, and where AutoBuild queued it again by itself. */
  readonly trigger: Trigger | null;
  /** The commit of the branch that was built before; null: none, or it is not known. */
  readonly baseSha: string | null;
  /** Whether it was given secrets: a fork's build is not. */
  readonly isTrusted: boolean;
  /** The whole message of the commit. */
  readonly message: string;
  /** Where the forge shows the commit; null where the address of the repository, or of its `origin`, does not say. */
  readonly commitUrl: string | null;
  /** Why it was built like this; null before it has a plan. */
  readonly planReason: string | null;
  /** Where it was carried out; null before it started, and when its log was removed. */
  readonly machine: Machine | null;
  /** Versions of the tools that its steps name, outside of the checkout. */
  readonly tools: Readonly<Record<string, string>>;
  /** Container images of its steps. */
  readonly images: readonly string[];
  /** Names of the variables that its configuration sets, for all steps or for some. */
  readonly configuredVariables: readonly string[];
  /** Names of the secrets that its steps ask for. */
  readonly secrets: readonly string[];
}

/** What details are read from. */
export interface DetailParts {
  readonly details: DetailStore;
  readonly origins: OriginStore;
  readonly folders: BuildFolders;
  /** Undefined for one that is built no more. */
  sourceOf(repositoryId: number): RepositorySource | undefined;
}

/** Reads what is known about a build. */
export async function readDetails(build: Build, parts: DetailParts): Promise<BuildDetails> {
  const { event, baseSha, isTrusted } = parts.origins.of(build.id);
  const trigger = parts.details.trigger(build.id) ?? null;
  const { plan, machine, tools } = await recordedEntries(parts.folders.of(build.id));
  const told = trigger?.type === "webhook" ? trigger.forge : undefined;
  // What is not committed is on no forge.
  const label =
    event === "watch"
      ? undefined
      : await forgeLabelOf(parts.sourceOf(build.repositoryId), build.sha);
  const steps = plan?.steps ?? [];
  const configured = [plan?.environment ?? {}, ...steps.map(({ environment }) => environment)];
  return {
    event,
    trigger,
    baseSha,
    isTrusted,
    message: parts.details.message(build.repositoryId, build.sha) ?? build.subject,
    commitUrl: label === undefined ? null : commitUrl(label, build.sha, told),
    planReason: plan?.reason ?? null,
    machine: machine ?? null,
    tools: tools ?? {},
    images: unique(steps.flatMap(({ image }) => image ?? [])),
    configuredVariables: unique(configured.flatMap((variables) => Object.keys(variables))),
    secrets: unique(steps.flatMap(({ secrets }) => secrets)),
  };
}

/** Where a repository's commits may be looked at: at its own URL, or that of the remote that a local one comes from. */
async function forgeLabelOf(
  source: RepositorySource | undefined,
  sha: string,
): Promise<string | undefined> {
  return source?.type === "path" ? originWith(source.location, sha) : source?.label;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].toSorted();
}
