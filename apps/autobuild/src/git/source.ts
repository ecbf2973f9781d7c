import { realpathSync } from "node:fs";
import path from "node:path";
import { AutobuildError, show } from "../errors.ts";
import { plainText } from "../plain-text.ts";

/** Where a repository comes from, checked and safe to hand to git as one argument after `--`. */
export type RepositorySource =
  | {
      readonly type: "path";
      readonly location: string;
      readonly label: string;
      readonly name: string;
    }
  | {
      readonly type: "url";
      readonly location: string;
      readonly label: string;
      readonly name: string;
    };

const urlSchemes = ["https:", "http:", "ssh:", "file:"];

/** `user@host:path`, the short form of ssh. A slash before the colon would make it a path. */
const scpLike = /^(?:[^@/:\s]+@)?(?<host>[^/:\s]+):(?<rest>.+)$/;

/**
 * Reads a repository given as a path or a URL.
 *
 * Allowed: `https://`, `http://`, `ssh://`, `file://`, `user@host:path` and paths (relative ones count
 * from `cwd`). All else is refused before git sees it: git's other transports, `ext::` and `fd::`
 * among them, can run any program.
 *
 * With `roots`, a path (or a `file://` URL) must lie in one of these folders, links resolved: for repositories
 * that are named by others than the person who starts AutoBuild.
 *
 * `label` is what people and the store may see: the location without user name and password.
 */
export function parseSource(
  text: string,
  cwd: string = process.cwd(),
  roots?: readonly string[],
): RepositorySource {
  const source = readSource(text, cwd);
  if (roots === undefined || source.type === "url") return source;
  // Resolved, so that neither .. nor a link leads out of them.
  const real = realPathOf(source.location);
  const isInside = roots.some((root) => {
    const inRoot = path.relative(realPathOf(root), real);
    return inRoot === "" || !(inRoot.split(path.sep)[0] === ".." || path.isAbsolute(inRoot));
  });
  if (!isInside)
    refuse(
      text,
      `it lies outside of ${roots.length === 0 ? "all folders" : roots.join(", ")} from which repositories may be built`,
    );
  return { ...source, location: real };
}

/** A path with its links resolved, as far as it is there. */
function realPathOf(location: string): string {
  try {
    return realpathSync(location);
  } catch {
    const parent = path.dirname(location);
    return parent === location ? location : path.join(realPathOf(parent), path.basename(location));
  }
}

function readSource(text: string, cwd: string): RepositorySource {
  if (text === "") refuse(text, "it is empty");
  if (hasControlCharacter(text)) refuse(text, "it holds a control character");
  if (text.startsWith("-"))
    refuse(
      text,
      "it starts with a hyphen, so git would read it as an option; for a path write ./ before it",
    );

  if (/^[a-z][a-z0-9+.-]*::/i.test(text)) {
    refuse(text, "transports written with :: can run any program");
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return urlSource(text);

  const short = scpLike.exec(text);
  if (short?.groups !== undefined && !text.startsWith("/") && !text.startsWith(".")) {
    const { host = "", rest = "" } = short.groups;
    if (host.startsWith("-") || rest.startsWith("-"))
      refuse(text, "a host or path that starts with a hyphen would be read as an option");
    return {
      type: "url",
      location: text,
      label: text.replace(/^[^@/:]+@/, ""),
      name: nameOf(rest),
    };
  }

  const absolute = path.resolve(cwd, text);
  return { type: "path", location: absolute, label: absolute, name: nameOf(absolute) };
}

function urlSource(text: string): RepositorySource {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return refuse(text, "it does not parse as a URL");
  }
  if (!urlSchemes.includes(url.protocol))
    refuse(text, `the scheme ${url.protocol}// is not allowed`);
  if (url.protocol === "file:") {
    if (url.host !== "") refuse(text, "a file URL may not name a host");
    const location = decoded(text, url.pathname);
    return { type: "path", location, label: location, name: nameOf(location) };
  }
  // `ssh://-oProxyCommand=x/` made old versions of git run x.
  if (url.hostname.startsWith("-") || decoded(text, url.username).startsWith("-")) {
    refuse(text, "a host or user that starts with a hyphen would be read as an option");
  }
  const label = new URL(url);
  label.username = "";
  label.password = "";
  return { type: "url", location: text, label: label.href, name: nameOf(url.pathname) };
}

function decoded(text: string, part: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(part);
  } catch {
    return refuse(text, "a % in it is not followed by two digits");
  }
  if (hasControlCharacter(plain)) refuse(text, "it holds a control character");
  return plain;
}

function nameOf(location: string): string {
  const last =
    location
      .replace(/\/+$/, "")
      .replace(/\/?\.git$/, "")
      .split("/")
      .at(-1) ?? "";
  return last === "" ? "repository" : last;
}

/** Whether a text holds a character that could steer a terminal, split a line or turn it around. */
export function hasControlCharacter(text: string): boolean {
  return plainText(text) !== text;
}

function refuse(text: string, why: string): never {
  // A password may stand in it, also in a URL that does not parse.
  const shown = show(text.replace(/\/\/[^/@]*@/, "//…@"));
  throw new AutobuildError(
    "AUTOBUILD_BAD_SOURCE",
    `Expected a repository as a path or an https, http, ssh or file URL, got ${shown}: ${why}. ` +
      "Give a path such as ../project or a URL such as https://example.org/project.git.",
  );
}
