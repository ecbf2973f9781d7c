import type { Build } from "../build/build.ts";
import { buildEnvironment } from "../run/environment.ts";
import type { ApiClient } from "./api-client.ts";

/** How a build was carried out, as `/api/builds/<id>/plan` says it. */
export interface BuildPlan {
  readonly buildId: number;
  readonly repository: string;
  readonly branch: string;
  readonly sha: string;
  readonly reason: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly steps: readonly {
    readonly name: string;
    readonly argv: readonly string[];
    readonly command: string;
    readonly needs: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
    readonly image: string | null;
    readonly secrets: readonly string[];
  }[];
  readonly workspace: string | null;
}

export async function planOf(api: ApiClient, build: Build): Promise<BuildPlan> {
  return api.get<BuildPlan>(`/api/builds/${build.id}/plan`);
}

/** What a build of this plan would find in its environment here, but for secrets; the cookie marks nothing. */
export function environmentOf(
  { buildId, sha, branch, environment }: BuildPlan,
  own: NodeJS.ProcessEnv,
): Record<string, string> {
  const { AUTOBUILD_COOKIE: _cookie, ...variables } = buildEnvironment(
    { buildId, sha, branch, cookie: "", configured: environment, passEnv: [] },
    own,
  );
  return variables;
}
