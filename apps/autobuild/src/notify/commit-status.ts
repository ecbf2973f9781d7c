import type { Build } from "../build/build.ts";
import { DeliveryError, postJson } from "./post.ts";
import type { Notice } from "./send.ts";
import { reveal, type Forge } from "./targets.ts";
import { endOf } from "./verdict.ts";

/** What GitHub takes; the others take more. */
const maxDescriptionChars = 140;

interface StatusRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, string>>;
}

/** Says on the forge how the build of a commit is. Throws a `DeliveryError`. */
export async function sendStatus(
  target: Forge,
  { build, link }: Notice,
  signal: AbortSignal,
): Promise<void> {
  const { url, headers, body } = requestFor(target, build);
  const shown = {
    description: describe(build).slice(0, maxDescriptionChars),
    ...(link === undefined ? {} : { target_url: link }),
  };
  try {
    await postJson(url, JSON.stringify({ ...body, ...shown }), headers, signal);
  } catch (error) {
    if (target.type !== "gitlab" || !isRepeated(error)) throw error;
  }
}

/** GitLab refuses the state that a commit is in already, as after a repeated try: nothing is missing then. */
function isRepeated(error: unknown): boolean {
  return error instanceof DeliveryError && /cannot transition status via/i.test(error.message);
}

function requestFor(target: Forge, { sha, state }: Build): StatusRequest {
  const { type, project, context } = target;
  const base = target.url.replace(/\/+$/, "");
  const token = reveal(target.token);
  switch (type) {
    case "github":
      return {
        url: `${base}/repos/${project}/statuses/${sha}`,
        headers: {
          accept: "application/vnd.github+json",
          authorization: `Bearer ${token}`,
          "x-github-api-version": "2022-11-28",
        },
        body: { state: githubStates[state], context },
      };
    case "gitea":
      return {
        url: `${base}/api/v1/repos/${project}/statuses/${sha}`,
        headers: { authorization: `token ${token}` },
        body: { state: githubStates[state], context },
      };
    case "gitlab":
      return {
        url: `${base}/api/v4/projects/${encodeURIComponent(project)}/statuses/${sha}`,
        headers: { "private-token": token },
        body: { state: gitlabStates[state], name: context },
      };
  }
}

const githubStates: Readonly<Record<Build["state"], string>> = {
  queued: "pending",
  running: "pending",
  passed: "success",
  failed: "failure",
  cancelled: "error",
  lost: "error",
};

const gitlabStates: Readonly<Record<Build["state"], string>> = {
  queued: "pending",
  running: "running",
  passed: "success",
  failed: "failed",
  cancelled: "canceled",
  lost: "failed",
};

function describe(build: Build): string {
  return build.finishedMs === null
    ? `build ${build.id} is ${build.state}`
    : `build ${build.id} ${endOf(build)}`;
}
