import { hashToken, newToken } from "../auth/auth.ts";
import { accountCommand, dayOf } from "./account-command.ts";
import type { Command } from "./command.ts";
import { readDuration } from "./duration.ts";

export const token: Command = accountCommand({
  name: "token",
  summary: "what programs log in with",
  help: `Usage: autobuild token add <name> [--role viewer|builder|admin] [--expires 90d]
       autobuild token list [--json]
       autobuild token revoke <name>

add prints the token on stdout, once: only its hash is kept. Programs send it as
"Authorization: Bearer <token>"; the commands here take it from AUTOBUILD_TOKEN. On the login page it goes
where the password does, without a user.

  --role <role>                          builder
  --expires <time>                       such as 12h or 90d (never)`,
  options: { expires: { type: "string" } },
  takeAway: "revoke",
  async add({ name, role, values, accounts, dataDir, terminal }) {
    const nowMs = Date.now();
    const expiresMs = values.expires === undefined ? null : nowMs + readDuration(values.expires);
    const text = newToken();
    const made = accounts.addToken({ name, role, hash: hashToken(text), expiresMs }, nowMs);
    if (values.json === true) await terminal.json({ ...made, token: text });
    else await terminal.print(text);
    const until = expiresMs === null ? "" : ` until ${dayOf(expiresMs)}`;
    terminal.say(
      `The token ${name} may come as ${role}${until} (${dataDir}). It is not shown again.`,
    );
  },
  list: (accounts) => accounts.tokens(),
  lineOf: ({ name, role, expiresMs, usedMs }) =>
    [
      name,
      role,
      expiresMs === null ? "never expires" : `until ${dayOf(expiresMs)}`,
      usedMs === null ? "never used" : `used ${dayOf(usedMs)}`,
    ].join("\t"),
  remove: (accounts, name) =>
    accounts.removeToken(name) ? `${name} opens nothing any more.` : undefined,
  isUnknown: "which none has",
});
