import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { AutobuildError, messageOf, show, systemCodeOf } from "../errors.ts";

/** The file in the data folder that says who is told. */
export const notifyFile = "notify.yml";

const httpUrl = z.url({
  protocol: /^https?$/,
  error: "a URL that begins with http:// or https://",
});

/** A secret stands in the file, in a variable of AutoBuild's environment, or in a file of its own. */
const secret = z.union(
  [
    z.string().min(1),
    z.strictObject({ env: z.string().min(1) }),
    z.strictObject({ file: z.string().min(1) }),
  ],
  { error: "a text, { env: NAME } or { file: path }" },
);
const globs = z
  .array(z.string().min(1).max(300), { error: "a list of names, ** for any" })
  .max(100)
  .default(["**"]);
const when = {
  /** Of which repositories, by name. */
  repositories: globs,
  branches: globs,
  /** `change`: when a branch breaks or is mended; `failure`: at every failure and when mended; `always`: at every end. */
  on: z
    .enum(["change", "failure", "always"], { error: "change, failure or always" })
    .default("change"),
};
const forge = {
  repositories: globs,
  /** The project on the forge. */
  project: z.string().regex(/^[\w.-]+(?:\/[\w.-]+)+$/, { error: "a path such as owner/name" }),
  token: secret,
  /** By which the forge tells this status from others. */
  context: z.string().min(1).max(100).default("autobuild"),
};
const address = z.string().min(3, { error: "a mail address" }).max(300);

const targetSchema = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("webhook"), url: httpUrl, secret, ...when }),
    z.strictObject({ type: z.literal("slack"), url: httpUrl, ...when }),
    z.strictObject({
      type: z.literal("mail"),
      smtp: z.url({ protocol: /^smtps?$/, error: "a URL such as smtps://mail.example.org" }),
      user: z.string().min(1).optional(),
      password: secret.optional(),
      from: address,
      to: z.array(address, { error: "a list of 1 to 50 mail addresses" }).min(1).max(50),
      ...when,
    }),
    z.strictObject({
      type: z.literal("github"),
      url: httpUrl.default("https://api.github.com"),
      ...forge,
    }),
    z.strictObject({
      type: z.literal("gitlab"),
      url: httpUrl.default("https://gitlab.com"),
      ...forge,
    }),
    z.strictObject({ type: z.literal("gitea"), url: httpUrl, ...forge }),
  ],
  { error: "a target whose type is webhook, slack, mail, github, gitlab or gitea" },
);

const fileSchema = z.strictObject(
  {
    /** Where people reach this AutoBuild, for links. */
    url: httpUrl.optional(),
    targets: z.array(targetSchema, { error: "a list of targets" }).max(50),
  },
  { error: "an object with targets and perhaps url" },
);

/** One who is told, with the secrets as the file names them. */
export type Target = z.output<typeof targetSchema>;
/** Where a secret is. */
export type Secret = z.output<typeof secret>;
/** A forge that shows how each commit's build is. */
export type Forge = Extract<Target, { project: string }>;

/** What the file says. */
export interface NotifyConfig {
  /** Without a slash at its end; undefined: messages have no links. */
  readonly url: string | undefined;
  readonly targets: readonly Target[];
}

/** Reads `notify.yml`; where there is none, nobody is told. Throws `AUTOBUILD_BAD_OPTION`, which says what is wrong. */
export function readNotifyConfig(path: string): NotifyConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return { url: undefined, targets: [] };
    throw error;
  }
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 10 });
  } catch (error) {
    throw bad(path, `Expected YAML, got a file that does not parse: ${messageOf(error)}`);
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success)
    throw bad(path, parsed.error.issues.map((issue) => explain(issue, value)).join("\n"));
  return { url: parsed.data.url?.replace(/\/+$/, ""), targets: parsed.data.targets };
}

/** The secret itself, read anew each time: a file may change while AutoBuild runs. */
export function reveal(from: Secret): string {
  if (typeof from === "string") return from;
  if ("file" in from) return readFileSync(from.file, "utf8").trim();
  const value = process.env[from.env];
  if (value !== undefined && value !== "") return value;
  throw new Error(`Expected the variable ${from.env} to hold a secret, and it is not set`);
}

/**
 * Names targets to people, and to the store, without anything secret: `slack hooks.example.org`, and the next one of
 * that host `slack hooks.example.org (2)`.
 */
export function byName(targets: readonly Target[]): ReadonlyMap<string, Target> {
  const named = new Map<string, Target>();
  for (const target of targets) {
    const name = nameOf(target);
    let number = 1;
    const numbered = (): string => (number === 1 ? name : `${name} (${number})`);
    while (named.has(numbered())) number += 1;
    named.set(numbered(), target);
  }
  return named;
}

function nameOf(target: Target): string {
  if (target.type === "mail") return `mail to ${target.to.join(", ")}`;
  const { host } = new URL(target.url);
  return "project" in target
    ? `${target.type} ${host} ${target.project} ${target.context}`
    : `${target.type} ${host}`;
}

function explain(issue: z.core.$ZodIssue, config: unknown): string {
  const name = issue.path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("");
  const field = name === "" ? "the file" : `\`${name.replace(/^\./, "")}\``;
  if (issue.code === "unrecognized_keys") {
    const names = issue.keys.map((key) => show(key)).join(", ");
    return `Expected ${field} to have no other fields than the documented ones, got ${names}. Remove it, or correct its name.`;
  }
  const came = issue.path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null
        ? (value as Readonly<Record<PropertyKey, unknown>>)[key]
        : undefined,
    config,
  );
  return `Expected ${field} to be ${issue.message}, got ${show(came)}.`;
}

function bad(path: string, message: string): AutobuildError {
  return new AutobuildError("AUTOBUILD_BAD_OPTION", `${path}: ${message}`);
}
