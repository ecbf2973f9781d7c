import { MasterKey } from "../auth/master-key.ts";
import { parseSource } from "../git/source.ts";
import { globalScope, Secrets } from "../secrets/secrets.ts";
import { SecretStore } from "../store/secret-store.ts";
import { dayOf, named } from "./account-command.ts";
import { exitCode, UsageError, type Command } from "./command.ts";
import { databaseCommand } from "./database-command.ts";
import { jsonOption } from "./server-command.ts";

export const secret: Command = databaseCommand({
  name: "secret",
  summary: "values for builds that name them",
  help: `Usage: autobuild secret set <NAME> [--repository <path or URL>]
       autobuild secret list [--json]
       autobuild secret remove <NAME> [--repository <path or URL>]

set asks for the value, or reads it from stdin, and encrypts it with the key of the data folder (autobuild.key
there, or AUTOBUILD_KEY, or the systemd credential autobuild.key). A step gets it as a variable if its
configuration names it in "secrets", and in no build of a fork. What a build prints is masked. There is no
way to read it back.

  --repository <path or URL>             only for builds of this one (all)`,
  options: { repository: { type: "string" }, ...jsonOption },
  async run({ values, positionals, withDatabase, environment, cwd, terminal }) {
    const [action, name, ...more] = positionals;
    // A value as an argument is what everybody types once: it is in the history then, and other users see it.
    if (more.length > 0)
      throw new UsageError(
        "Expected the name alone, got more. The value is asked for, or comes on stdin: arguments can be seen by others.",
      );
    const scope =
      values.repository === undefined ? globalScope : parseSource(values.repository, cwd).label;
    return withDatabase(async ({ database, dataDir }) => {
      const store = new SecretStore(database);
      switch (action) {
        case "set": {
          const wanted = named(name);
          const value = await terminal.readSecret(`Value of ${wanted}`);
          const secrets = new Secrets(store, MasterKey.load(dataDir, environment));
          secrets.set(scope, wanted, value, Date.now());
          terminal.say(`${wanted} is set for ${scopeText(scope)} (${dataDir}).`);
          return exitCode.done;
        }
        case "remove": {
          const wanted = named(name);
          const isRemoved = store.remove(scope, wanted);
          terminal.say(
            isRemoved
              ? `${wanted} is gone.`
              : `Expected the name of a secret for ${scopeText(scope)}, got ${wanted}, which none has.`,
          );
          return isRemoved ? exitCode.done : exitCode.failed;
        }
        case "list": {
          const all = store.list();
          if (values.json === true) await terminal.json(all);
          else
            for (const each of all)
              await terminal.print(
                `${each.name}\t${scopeText(each.scope)}\tset ${dayOf(each.updatedMs)}`,
              );
          return exitCode.done;
        }
        default:
          throw new UsageError(`Expected set, list or remove, got ${action ?? "nothing"}.`);
      }
    });
  },
});

function scopeText(scope: string): string {
  return scope === globalScope ? "all repositories" : scope;
}
