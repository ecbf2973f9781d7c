import { createHash, createHmac } from "node:crypto";
import { z } from "zod";
import { isSameSecret } from "../auth/same-secret.ts";
import { plainText } from "../plain-text.ts";
import type { PullRequest } from "./repository-triggers.ts";

export const forges = ["github", "gitlab", "gitea", "forgejo"] as const;
export type Forge = (typeof forges)[number];

export function isForge(name: string): name is Forge {
  return (forges as readonly string[]).includes(name);
}

/** What a forge tells, as far as it matters here. */
export type News =
  | { readonly type: "pushed" }
  | { readonly type: "pullRequest"; readonly request: PullRequest }
  /** That the hook works, or something that leads to no build. */
  | { readonly type: "other"; readonly event: string };

/** A delivery that has been read. */
export interface Delivery {
  readonly news: News;
  /** Where the repository can be had, in the forge's words; one of them is ours if any is. */
  readonly urls: readonly string[];
}

/**
 * Whether a delivery comes from somebody who knows the secret.
 *
 * GitHub, Gitea and Forgejo sign the body (HMAC-SHA256); GitLab sends the secret itself. Compared in a time that
 * does not depend on what is wrong.
 */
export function isGenuine(
  forge: Forge,
  headers: Headers,
  body: Uint8Array,
  secret: string,
): boolean {
  if (forge === "gitlab") return isSameSecret(headers.get("x-gitlab-token") ?? "", secret);
  const signature =
    headers.get("x-hub-signature-256")?.replace(/^sha256=/, "") ??
    headers.get("x-forgejo-signature") ??
    headers.get("x-gitea-signature") ??
    "";
  return isSameSecret(
    signature.toLowerCase(),
    createHmac("sha256", secret).update(body).digest("hex"),
  );
}

/**
 * Names by which a delivery is known again: the forge's, and one of its body, since the forge's stands in a
 * header that the signature does not cover.
 */
export function namesOf(forge: Forge, headers: Headers, body: Uint8Array): string[] {
  const given = deliveryOf(forge, headers);
  const digest = createHash("sha256").update(body).digest("hex");
  return [...(given === null ? [] : [`${forge} ${given}`]), `${forge} ${digest}`];
}

/** What the forge calls a delivery, at most 200 characters; null where it says nothing. */
export function deliveryOf(forge: Forge, headers: Headers): string | null {
  const given =
    forge === "gitlab"
      ? (headers.get("idempotency-key") ?? headers.get("x-gitlab-event-uuid"))
      : (headers.get("x-github-delivery") ??
        headers.get("x-forgejo-delivery") ??
        headers.get("x-gitea-delivery"));
  return given === null ? null : plainText(given.slice(0, 200));
}

/** Reads a delivery. Throws an error with a sentence for one that is not as its forge sends them. */
export function readDelivery(forge: Forge, headers: Headers, body: Uint8Array): Delivery {
  const event =
    headers.get("x-github-event") ??
    headers.get("x-forgejo-event") ??
    headers.get("x-gitea-event") ??
    headers.get("x-gitlab-event") ??
    "";
  const payload: unknown = JSON.parse(jsonOf(headers, body));
  try {
    return forge === "gitlab" ? gitlabDelivery(event, payload) : githubDelivery(event, payload);
  } catch (error) {
    throw error instanceof z.ZodError ? new Error(faultOf(error), { cause: error }) : error;
  }
}

/** The first fault in one line, in place of all of them as JSON. */
function faultOf({ issues: [issue] }: z.ZodError): string {
  const where =
    issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.map(String).join(".")}`;
  return `there is a fault${where}: ${issue?.message ?? "unknown"}`;
}

function jsonOf(headers: Headers, body: Uint8Array): string {
  const text = Buffer.from(body).toString("utf8");
  // GitHub's form has this type chosen unless somebody changes it.
  if (!(headers.get("content-type") ?? "").startsWith("application/x-www-form-urlencoded"))
    return text;
  return new URLSearchParams(text).get("payload") ?? "";
}

const url = z.string().max(2000);
const number = z.int().min(1).max(Number.MAX_SAFE_INTEGER);
const repository = z.object({
  clone_url: url.optional(),
  ssh_url: url.optional(),
  git_url: url.optional(),
  html_url: url.optional(),
});
const githubPayload = z.object({
  repository: repository.optional(),
  action: z.string().optional(),
  number: number.optional(),
  pull_request: z
    .object({
      number,
      head: z.object({ repo: z.object({ id: z.number() }).nullish() }),
      base: z.object({ repo: z.object({ id: z.number() }).nullish() }),
    })
    .optional(),
});
const newCommits = new Set(["opened", "reopened", "synchronize", "synchronized"]);

function githubDelivery(event: string, payload: unknown): Delivery {
  const { repository: from, action = "", pull_request: request } = githubPayload.parse(payload);
  const urls = Object.values(from ?? {}).filter((each) => each !== undefined);
  // A push of a tag is a push; Gitea tells the creation of a branch or a tag a second time.
  if (event === "push" || event === "create") return { news: { type: "pushed" }, urls };
  if (event === "pull_request" && request !== undefined && newCommits.has(action)) {
    const { head, base } = request;
    // The repository of a fork that was deleted is null.
    const isFork = head.repo?.id === undefined || head.repo.id !== base.repo?.id;
    const ref = `refs/pull/${request.number}/head`;
    return {
      news: { type: "pullRequest", request: { number: request.number, ref, isFork } },
      urls,
    };
  }
  return { news: { type: "other", event: `${event} ${action}`.trim() }, urls };
}

const gitlabPayload = z.object({
  object_kind: z.string().optional(),
  project: z
    .object({
      git_http_url: url.optional(),
      git_ssh_url: url.optional(),
      http_url: url.optional(),
      ssh_url: url.optional(),
      web_url: url.optional(),
    })
    .optional(),
  object_attributes: z
    .object({
      iid: number.optional(),
      action: z.string().optional(),
      source_project_id: z.number().optional(),
      target_project_id: z.number().optional(),
    })
    .optional(),
});

function gitlabDelivery(event: string, payload: unknown): Delivery {
  const {
    object_kind: kind = event,
    project,
    object_attributes: request,
  } = gitlabPayload.parse(payload);
  const urls = Object.values(project ?? {}).filter((each) => each !== undefined);
  if (kind === "push" || kind === "tag_push") return { news: { type: "pushed" }, urls };
  const isNew = ["open", "reopen", "update"].includes(request?.action ?? "");
  if (kind === "merge_request" && request?.iid !== undefined && isNew) {
    const isFork =
      request.source_project_id === undefined ||
      request.source_project_id !== request.target_project_id;
    const ref = `refs/merge-requests/${request.iid}/head`;
    return { news: { type: "pullRequest", request: { number: request.iid, ref, isFork } }, urls };
  }
  return { news: { type: "other", event: kind }, urls };
}
