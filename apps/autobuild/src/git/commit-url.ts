import { isForge, type Forge } from "../triggers/delivery.ts";
import { addressOf } from "../triggers/webhooks.ts";

const hosts: Readonly<Record<string, Forge | "bitbucket" | "sourcehut">> = {
  "github.com": "github",
  "gitlab.com": "gitlab",
  "codeberg.org": "forgejo",
  "bitbucket.org": "bitbucket",
  "git.sr.ht": "sourcehut",
};

/**
 * Where a forge shows a commit; null where the repository's address does not say that it is on one.
 *
 * @param label the repository's path or URL, without user name and password
 * @param told the forge that told of the commit, which decides where the host's name says nothing
 */
export function commitUrl(label: string, sha: string, told?: Forge): string | null {
  const location = addressOf(label);
  if (location === undefined) return null;
  const host = location.slice(0, location.indexOf("/"));
  const [first = ""] = host.split(".");
  const forge = hosts[host] ?? (isForge(first) ? first : told);
  if (forge === undefined || location.length === host.length + 1) return null;
  const url = webUrl(label, host);
  const between =
    forge === "gitlab" ? "/-/commit/" : forge === "bitbucket" ? "/commits/" : "/commit/";
  return url === undefined ? null : url + between + sha;
}

/** Of the repository, in the case in which it was given: some forges know the difference. */
function webUrl(label: string, host: string): string | undefined {
  const url = URL.parse(label);
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  const path =
    url === null || url.hostname === "" ? label.slice(label.indexOf(":") + 1) : url.pathname;
  const parts = path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "");
  // Of ssh the port is another one.
  const origin = isWeb ? url.origin : `https://${host}`;
  return URL.parse(`${origin}/${parts}`)?.href;
}
