import { CommitFiles } from "../git/commit-files.ts";
import type { Plan } from "../plan/plan.ts";
import type { Planner } from "../plan/planner.ts";
import type { Build } from "./build.ts";
import { isBranch, tagOf, type BuildOrigin } from "./origin.ts";

/**
 * The plan of a build, from its checkout: steps whose `when` does not fit are left out, and a fork's build gets
 * no secrets and no submodules.
 *
 * @param mirrorFolder where the commits are that the checkout was made from
 */
export async function planBuild(
  build: Pick<Build, "branch" | "sha">,
  origin: BuildOrigin,
  workspace: string,
  mirrorFolder: string,
  planner: Planner,
  signal: AbortSignal,
): Promise<Plan> {
  const { branch, sha } = build;
  const { baseSha } = origin;
  const files = new CommitFiles(mirrorFolder, sha, signal);
  const plan = await planner.plan(workspace, {
    event: origin.event,
    tag: tagOf(branch),
    branch: isBranch(branch) ? branch : undefined,
    changedPaths: baseSha === null ? undefined : await files.changedSince(baseSha),
  });
  if (origin.isTrusted) return plan;
  // Submodules come by AutoBuild's own keys, which open more than a fork's author may see.
  const { checkout: _checkout, ...rest } = plan;
  return { ...rest, steps: plan.steps.map((step) => ({ ...step, secrets: [] })) };
}
