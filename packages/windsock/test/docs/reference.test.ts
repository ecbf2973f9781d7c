// The reference pages list exactly what the sources have.
import { describe, expect, test } from "vitest";
import { help, type CommandName } from "../../src/cli/help.ts";
import * as errors from "../../src/errors.ts";
import { closeCode } from "../../src/protocol/close-code.ts";
import {
  defaultHistoryLimits,
  defaultLimits,
  defaultServiceLimits,
} from "../../src/protocol/limits.ts";
import { membersOf, read, rowsOf, section } from "./pages.ts";

const src = "packages/windsock/src";
const types = read(`${src}/service/types.ts`);

/** The names in the first cells of a section's tables. */
function names(page: string, heading: string): string[] {
  return rowsOf(section(read(page), heading)).flatMap(([first = ""]) =>
    [...first.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
  );
}

describe("docs/reference/errors.md", () => {
  const page = read("docs/reference/errors.md");

  test("has a section for each class, and none for others", () => {
    const headings = [...page.matchAll(/^### (\w+)$/gm)].map(([, name = ""]) => name);
    expect(headings.toSorted()).toEqual(Object.keys(errors).toSorted());
  });

  test("gives each class its code", () => {
    for (const [name, error] of Object.entries(errors)) {
      // The arguments are of no interest; a CallCycleError wants a chain.
      const { code } = new (error as new (...args: unknown[]) => errors.WindsockError)([]);
      expect(section(page, name).trim()).toMatch(new RegExp(`^\`${code}\`[.,]`));
    }
  });

  test("names the fields that a program needs", () => {
    const fields = [...read(`${src}/errors.ts`).matchAll(/class (\w+)[^{]*\{([\s\S]*?)\n\}/g)];
    for (const [, name = "", body = ""] of fields) {
      const own = [...body.matchAll(/^ {2}readonly (?!code)(\w+):/gm)].map(([, field]) => field);
      for (const field of own) expect(section(page, name)).toContain(`field \`${field}\``);
    }
  });
});

describe("docs/reference/options.md", () => {
  const page = "docs/reference/options.md";

  test.each([
    ["Server limits", defaultLimits],
    ["Service limits", defaultServiceLimits],
    ["History limits", defaultHistoryLimits],
  ])("%s: every one, with the default that it has", (heading, defaults) => {
    const rows = rowsOf(section(read(page), heading));
    const documented = rows.map(([name = "", , value]) => [
      name.replaceAll("`", ""),
      Number(value),
    ]);
    expect(Object.fromEntries(documented)).toEqual(defaults);
  });

  test("lists the options of a server", () => {
    const options = membersOf(read(`${src}/node/options.ts`), "ServerOptions");
    expect(names(page, "Server options").toSorted()).toEqual(options.toSorted());
  });

  test("lists the options of a service: whatever is no callback", () => {
    const members = [...membersOf(types, "ServiceDefinition"), "params"];
    const callbacks = sectionsOf("Callbacks");
    expect(names(page, "Service options").toSorted()).toEqual(
      members.filter((member) => !callbacks.includes(member)).toSorted(),
    );
  });
});

function sectionsOf(heading: string): string[] {
  const text = section(read("docs/reference/service.md"), heading);
  return [...text.matchAll(/^### (\w+)$/gm)].map(([, name = ""]) => name);
}

describe("docs/reference/service.md", () => {
  const page = "docs/reference/service.md";

  test("has a section for each callback", () => {
    const members = membersOf(types, "ServiceDefinition");
    const callbacks = members.filter((name) =>
      /^(?:authorize|init|handle\w+|snapshot|terminate)$/.test(name),
    );
    expect(sectionsOf("Callbacks").toSorted()).toEqual(callbacks.toSorted());
  });

  test.each([
    ["Client", types, "Client"],
    ["Upgrade request", types, "UpgradeRequest"],
    ["Service context", types, "ServiceContext"],
    ["Server", read(`${src}/node/server.ts`), "Server"],
  ])("%s: every member", (heading, source, name) => {
    expect(names(page, heading).toSorted()).toEqual(membersOf(source, name).toSorted());
  });
});

test("docs/reference/close-codes.md lists every code that we send", () => {
  const rows = rowsOf(read("docs/reference/close-codes.md"));
  const documented = rows
    .filter(([, code]) => /^\d{4}$/.test(code ?? ""))
    .map(([name = "", code]) => [name.replaceAll("`", ""), Number(code)]);
  expect(Object.fromEntries(documented)).toEqual(closeCode);
});

test.each(["start", "dev", "routes", "broadcast"] satisfies CommandName[])(
  "docs/reference/cli.md has the options of windsock %s",
  (command) => {
    const page = read("docs/reference/cli.md");
    const documented = section(page, `windsock ${command}`);
    for (const [option] of help(command).matchAll(/--[a-z][a-z-]*/g)) {
      // `dev` has those of `start`.
      const text = command === "dev" ? page : documented;
      expect(text).toContain(option);
    }
  },
);
