import type { ParseArgsOptionsConfig } from "node:util";
import { parseRole, type Role } from "../auth/role.ts";
import { AccountStore } from "../store/account-store.ts";
import {
  exitCode,
  UsageError,
  type Command,
  type Invocation,
  type readArguments,
} from "./command.ts";
import { databaseCommand } from "./database-command.ts";
import { jsonOption } from "./server-command.ts";

const common = {
  role: { type: "string", default: "builder" },
  ...jsonOption,
} as const satisfies ParseArgsOptionsConfig;

type Values<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof readArguments<Options & typeof common>
>["values"];

/** Somebody or something to let in, by name and role. */
export interface NewAccount<Options extends ParseArgsOptionsConfig> {
  readonly name: string;
  readonly role: Exclude<Role, "none">;
  readonly values: Values<Options>;
  readonly accounts: AccountStore;
  readonly dataDir: string;
  readonly terminal: Invocation["terminal"];
}

const granted: readonly Role[] = ["viewer", "builder", "admin"];

/** Makes a command over those who may come in: `add <name>`, `list`, and the word by which one is taken away. */
export function accountCommand<const Options extends ParseArgsOptionsConfig, Listed>(definition: {
  readonly name: string;
  readonly summary: string;
  /** Without `--data-dir` and `--json`, and without a newline at its end. */
  readonly help: string;
  /** Besides `--role`, `--json` and `--data-dir`. */
  readonly options: Options;
  readonly takeAway: string;
  add(account: NewAccount<Options>): Promise<void>;
  list(accounts: AccountStore): readonly Listed[];
  /** A listed one for people. */
  lineOf(listed: Listed): string;
  /** Says what came of it; undefined: there is none of that name. */
  remove(accounts: AccountStore, name: string): string | undefined;
  /** What nobody has who is not there: "which nobody has". */
  readonly isUnknown: string;
}): Command {
  const { name: what, summary, help, options, takeAway, isUnknown } = definition;
  return databaseCommand({
    name: what,
    summary,
    help,
    options: { ...options, ...common },
    async run({ values, positionals, withDatabase, terminal }) {
      // What a generic set of options has for certain.
      const { role: wanted, json } = values as { role: string; json?: boolean };
      const [action, name, ...more] = positionals;
      if (more.length > 0) throw new UsageError(`Expected one name, got ${1 + more.length}.`);
      return withDatabase(async ({ database, dataDir }) => {
        const accounts = new AccountStore(database);
        switch (action) {
          case "list": {
            const all = definition.list(accounts);
            if (json === true) await terminal.json(all);
            else for (const each of all) await terminal.print(definition.lineOf(each));
            return exitCode.done;
          }
          case "add": {
            const role = parseRole(wanted, granted) as Exclude<Role, "none">;
            await definition.add({ name: named(name), role, values, accounts, dataDir, terminal });
            return exitCode.done;
          }
          case takeAway: {
            const done = definition.remove(accounts, named(name));
            terminal.say(done ?? `Expected the name of a ${what}, got ${name}, ${isUnknown}.`);
            return done === undefined ? exitCode.failed : exitCode.done;
          }
          default:
            throw new UsageError(`Expected add, list or ${takeAway}, got ${action ?? "nothing"}.`);
        }
      });
    },
  });
}

/** The name that an action is about. */
export function named(name: string | undefined): string {
  if (name === undefined) throw new UsageError("Expected a name, got none.");
  return name;
}

/** `2026-11-24` */
export function dayOf(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 10);
}
