import { messageOf } from "../errors.ts";
import { DeliveryError } from "./post.ts";
import type { Notice } from "./send.ts";
import { reveal, type Target } from "./targets.ts";
import { sentenceOf } from "./verdict.ts";

const maxSubjectChars = 200;

/** Sends a mail in plain text. Throws a `DeliveryError`. */
export async function sendMail(
  target: Extract<Target, { type: "mail" }>,
  { id, build, verdict, link }: Notice,
): Promise<void> {
  const url = new URL(target.smtp);
  const sentence = sentenceOf(build, verdict);
  const { user, password } = target;
  // Most never send a mail, and hold no library for it.
  const { createTransport } = await import("nodemailer");
  const transport = createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || (url.protocol === "smtps:" ? 465 : 587)),
    secure: url.protocol === "smtps:",
    connectionTimeout: 15_000,
    greetingTimeout: 15_000,
    socketTimeout: 30_000,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(user === undefined || password === undefined
      ? {}
      : { auth: { user, pass: reveal(password) }, requireTLS: url.protocol === "smtp:" }),
  });
  try {
    await transport.sendMail({
      from: target.from,
      to: [...target.to],
      subject: `[${build.repository}] ${sentence}`.slice(0, maxSubjectChars),
      text: [
        sentence,
        "",
        `commit  ${build.sha}`,
        `author  ${build.author}`,
        `subject ${build.subject}`,
        ...(link === undefined ? [] : ["", link]),
        "",
      ].join("\n"),
      messageId: `<${id}@autobuild.invalid>`,
      headers: { "Auto-Submitted": "auto-generated" },
    });
  } catch (error) {
    // RFC 5321, section 4.2.1: 5yz is for good, all else may work later.
    const code = error instanceof Error && "responseCode" in error ? Number(error.responseCode) : 0;
    throw new DeliveryError(
      `${url.hostname} took no mail: ${messageOf(error)}`,
      !(code >= 500 && code < 600),
      { cause: error },
    );
  } finally {
    transport.close();
  }
}
