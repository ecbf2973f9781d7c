import { hashPassword } from "../auth/password.ts";
import { parseRole, type Role } from "../auth/role.ts";
import { AccountStore } from "../store/account-store.ts";
import { exitCode, readArguments, UsageError, type Command } from "./command.ts";
import { withDatabase } from "./with-database.ts";

export const granted: readonly Role[] = ["viewer", "builder", "admin"];

export const user: Command = {
  name: "user",
  summary: "people who log in with a password",
  help: `Usage: autobuild user add <name> [--role viewer|builder|admin]
       autobuild user list [--json]
       autobuild user remove <name>

add asks for the password, or reads it from stdin. A user that there is gets the new password and role, and
has to log in again. Roles: viewer reads, builder also runs and cancels builds, admin also adds repositories.
Works beside a server that runs. With the first user or token, who has not logged in may only read.

  --role <role>                          builder
  --data-dir <path>  AUTOBUILD_DATA_DIR  (default: that of the repository you are in)
  --json
`,
  async run({ argv, environment, cwd, terminal }) {
    const { values, positionals } = readArguments(argv, {
      role: { type: "string", default: "builder" },
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
          const hash = await hashPassword(
            await terminal.readSecret(`Password of ${name}`, { again: true }),
          );
          accounts.saveUser(name, role, hash, Date.now());
          terminal.say(`${name} may log in as ${role} (${dataDir}).`);
          return exitCode.done;
        }
        case "remove":
          if (name === undefined) throw new UsageError("Expected a name, got none.");
          if (accounts.removeUser(name)) {
            terminal.say(`${name} is gone, and logged out everywhere.`);
            return exitCode.done;
          }
          terminal.say(`Expected the name of a user, got ${name}, which nobody has.`);
          return exitCode.failed;
        case "list": {
          const users = accounts.users();
          if (values.json === true) await terminal.json(users);
          else
            for (const each of users)
              await terminal.print(`${each.name}\t${each.role}\tsince ${dayOf(each.createdMs)}`);
          return exitCode.done;
        }
        default:
          throw new UsageError(`Expected add, list or remove, got ${action ?? "nothing"}.`);
      }
    });
  },
};

export function dayOf(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 10);
}
