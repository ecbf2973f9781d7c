import { hashToken, newToken } from "../auth/auth.ts";
import { parseRole, type Role } from "../auth/role.ts";
import { AccountStore } from "../store/account-store.ts";
import { exitCode, readArguments, UsageError, type Command } from "./command.ts";
import { readDuration } from "./duration.ts";
import { dayOf, granted } from "./user.ts";
import { withDatabase } from "./with-database.ts";

export const token: Command = {
  name: "token",
  summary: "what programs log in with",
  help: `Usage: autobuild token add <name> [--role viewer|builder|admin] [--expires 90d]
       autobuild token list [--json]
       autobuild token revoke <name>

add prints the token on stdout, once: only its hash is kept. Programs send it as
"Authorization: Bearer <token>"; the commands here take it from AUTOBUILD_TOKEN. On the login page it goes
where the password does, without a user.

  --role <role>                          builder
  --expires <time>                       such as 12h or 90d (never)
  --data-dir <path>  AUTOBUILD_DATA_DIR  (default: that of the repository you are in)
  --json
`,
  async run({ argv, environment, cwd, terminal }) {
    const { values, positionals } = readArguments(argv, {
      role: { type: "string", default: "builder" },
      expires: { type: "string" },
      json: { type: "boolean" },
      "data-dir": { type: "string" },
    });
    const [action, name, ...more] = positionals;
    if (more.length > 0) throw new UsageError(`Expected one name, got ${1 + more.length}.`);
    return withDatabase(values, environment, cwd, async ({ database, dataDir }) => {
      const accounts = new AccountStore(database);
      switch (action) {
        case "add": {
          if (name === undefined) throw new UsageError("Expected a name, got none.");
          const role = parseRole(values.role, granted) as Exclude<Role, "none">;
          const nowMs = Date.now();
          const expiresMs =
            values.expires === undefined ? null : nowMs + readDuration(values.expires);
          const text = newToken();
          const made = accounts.addToken({ name, role, hash: hashToken(text), expiresMs }, nowMs);
          if (values.json === true) await terminal.json({ ...made, token: text });
          else await terminal.print(text);
          const until = expiresMs === null ? "" : ` until ${dayOf(expiresMs)}`;
          terminal.say(
            `The token ${name} may come as ${role}${until} (${dataDir}). It is not shown again.`,
          );
          return exitCode.done;
        }
        case "revoke":
          if (name === undefined) throw new UsageError("Expected a name, got none.");
          if (accounts.removeToken(name)) {
            terminal.say(`${name} opens nothing any more.`);
            return exitCode.done;
          }
          terminal.say(`Expected the name of a token, got ${name}, which none has.`);
          return exitCode.failed;
        case "list": {
          const tokens = accounts.tokens();
          if (values.json === true) await terminal.json(tokens);
          else
            for (const each of tokens)
              await terminal.print(
                [
                  each.name,
                  each.role,
                  each.expiresMs === null ? "never expires" : `until ${dayOf(each.expiresMs)}`,
                  each.usedMs === null ? "never used" : `used ${dayOf(each.usedMs)}`,
                ].join("\t"),
              );
          return exitCode.done;
        }
        default:
          throw new UsageError(`Expected add, list or revoke, got ${action ?? "nothing"}.`);
      }
    });
  },
};
