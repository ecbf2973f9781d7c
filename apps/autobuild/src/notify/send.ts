import { createHmac } from "node:crypto";
import type { Build } from "../build/build.ts";
import { sendStatus } from "./commit-status.ts";
import { sendMail } from "./mail.ts";
import { postJson } from "./post.ts";
import { reveal, type Target } from "./targets.ts";
import { sentenceOf, type Verdict } from "./verdict.ts";

/** What a target is told. */
export interface Notice {
  /** The same at each try, so that a receiver can tell repeats. */
  readonly id: string;
  readonly build: Build;
  readonly verdict: Verdict;
  /** Where people find the build; undefined: no link. */
  readonly link: string | undefined;
  /** Epoch milliseconds of this try. */
  readonly nowMs: number;
}

/** Tells one target. Throws a `DeliveryError`. */
export async function send(target: Target, notice: Notice, signal: AbortSignal): Promise<void> {
  switch (target.type) {
    case "webhook":
      return sendWebhook(target, notice, signal);
    case "slack":
      return postJson(target.url, JSON.stringify({ text: slackText(notice) }), {}, signal);
    case "mail":
      return sendMail(target, notice);
    default:
      return sendStatus(target, notice, signal);
  }
}

/**
 * A webhook as standardwebhooks.com has them: `webhook-id`, `webhook-timestamp` and `webhook-signature`, which
 * is `v1,` and the HMAC-SHA-256 in base64 of `<id>.<timestamp>.<body>`.
 */
async function sendWebhook(
  target: Extract<Target, { type: "webhook" }>,
  { id, build, verdict, link, nowMs }: Notice,
  signal: AbortSignal,
): Promise<void> {
  const body = JSON.stringify({
    type: "build.ended",
    timestamp: new Date(nowMs).toISOString(),
    data: { build, verdict, url: link ?? null },
  });
  const timestamp = String(Math.floor(nowMs / 1000));
  const signature = createHmac("sha256", keyOf(reveal(target.secret)))
    .update(`${id}.${timestamp}.${body}`)
    .digest("base64");
  await postJson(
    target.url,
    body,
    { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` },
    signal,
  );
}

/** `whsec_` and base64, or any text. */
function keyOf(secret: string): Buffer {
  return secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
}

function slackText({ build, verdict, link }: Notice): string {
  const lines = [
    escapeSlack(sentenceOf(build, verdict)),
    escapeSlack(`${build.sha.slice(0, 7)} ${build.subject} (${build.author})`),
  ];
  return [...lines, ...(link === undefined ? [] : [`<${link}|build ${build.id}>`])].join("\n");
}

/** What a branch is called must not ping a channel. */
function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
