import { hashPassword } from "../auth/password.ts";
import { accountCommand, dayOf } from "./account-command.ts";
import type { Command } from "./command.ts";

export const user: Command = accountCommand({
  name: "user",
  summary: "people who log in with a password",
  help: `Usage: autobuild user add <name> [--role viewer|builder|admin]
       autobuild user list [--json]
       autobuild user remove <name>

add asks for the password, or reads it from stdin. A user that there is gets the new password and role, and
has to log in again. Roles: viewer reads, builder also runs and cancels builds, admin also adds repositories.
Works beside a server that runs. With the first user or token, who has not logged in may only read.

  --role <role>                          builder`,
  options: {},
  takeAway: "remove",
  async add({ name, role, accounts, dataDir, terminal }) {
    const hash = await hashPassword(
      await terminal.readSecret(`Password of ${name}`, { again: true }),
    );
    accounts.saveUser(name, role, hash, Date.now());
    terminal.say(`${name} may log in as ${role} (${dataDir}).`);
  },
  list: (accounts) => accounts.users(),
  lineOf: ({ name, role, createdMs }) => `${name}\t${role}\tsince ${dayOf(createdMs)}`,
  remove: (accounts, name) =>
    accounts.removeUser(name) ? `${name} is gone, and logged out everywhere.` : undefined,
  isUnknown: "which nobody has",
});
