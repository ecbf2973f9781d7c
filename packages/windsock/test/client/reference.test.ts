// docs/reference/client.md lists exactly what the client has.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { membersOf, read, rowsOf, section } from "../docs/pages.ts";

const page = read("docs/reference/client.md");
const source = (file: string): string =>
  readFileSync(new URL(`../../src/client/${file}`, import.meta.url), "utf8");
const types = source("types.ts");

/** The names in the first cells of a section's tables. */
function names(heading: string): string[] {
  return rowsOf(section(page, heading))
    .map(([first = ""]) => /^`(\w+)/.exec(first)?.[1] ?? "")
    .toSorted();
}

test("every error code, and none that is not", () => {
  const codes = [...source("client-error.ts").matchAll(/^ {2}\| "(WINDSOCK_\w+)"/gm)];
  expect(names("Errors")).toEqual(codes.map(([, code = ""]) => code).toSorted());
});

test("every event", () => {
  const [, handlers = ""] = types.split("export interface ChannelHandlers<S> {");
  const events = [...handlers.slice(0, handlers.indexOf("\n}")).matchAll(/^ {2}(\w+)\(/gm)];
  expect(events.length).toBe(9);
  expect(names("Events")).toEqual(events.map(([, name = ""]) => name).toSorted());
});

test("every option, with its default", () => {
  const options = [
    ...membersOf(types, "ConnectOptions"),
    ...membersOf(source("outbox.ts"), "OutboxLimits"),
    ...membersOf(source("reader.ts"), "ReaderLimits"),
  ];
  expect(names("connect")).toEqual(options.toSorted());
  const documented = rowsOf(section(page, "connect")).flatMap(([name = "", value = ""]) =>
    /^\d+$/.test(value) ? [[name.replaceAll("`", ""), value]] : [],
  );
  const defaults = [source("outbox.ts"), source("reader.ts")].flatMap((text) =>
    [...text.matchAll(/@default (\d+) \*\/\s+readonly (\w+)/g)].map(([, value, name]) => [
      name,
      value,
    ]),
  );
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(defaults));
});

test("every state", () => {
  const [, union = ""] = types.split("export type ChannelState =");
  const states = [...union.slice(0, union.indexOf(";\n\n")).matchAll(/readonly type: "(\w+)"/g)];
  expect(names("States")).toEqual(states.map(([, name = ""]) => name).toSorted());
});

test("every member of a channel", () => {
  const [, channel = ""] = types.split("export interface Channel<");
  const members = [
    ...channel.slice(0, channel.indexOf("\n}")).matchAll(/^ {2}(?:readonly )?([a-z]\w*)[<(:]/gm),
  ].map(([, name = ""]) => name);
  expect(names("Channel").filter((name) => name !== "for")).toEqual(members.toSorted());
});
