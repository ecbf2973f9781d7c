import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { exitCode } from "../src/cli/command.ts";
import { commands } from "../src/cli/commands.ts";
import { api } from "../src/http/api.ts";
import { describedRoutes } from "../src/http/described.ts";
import { TestServer } from "./support/server.ts";

const docs = path.join(import.meta.dirname, "../docs");
const read = (file: string): string => readFileSync(path.join(docs, file), "utf8");

describe("the reference", () => {
  test("has every command, and every exit code", () => {
    const text = read("commands.md");
    for (const { name } of commands) {
      const written =
        name === "restore"
          ? "`restore <folder>`"
          : `autobuild ${name === "serve" ? "[serve]" : name}`;
      expect([name, text.includes(written)]).toEqual([name, true]);
    }
    for (const code of Object.values(exitCode)) expect(text).toContain(`| ${code} |`);
  });

  test("has every route of the API, with the role it needs", () => {
    const text = read("api.md");
    const { autobuild } = new TestServer({ repositories: [] });
    const rows = text.split("\n");
    for (const { method, path: route, role } of [...api(autobuild), ...describedRoutes]) {
      const written = `\`${method.toUpperCase()} ${route}\``;
      const row = rows.find((line) => line.startsWith("|") && line.includes(written));
      expect([written, row?.includes(`| ${role} |`)]).toEqual([written, true]);
    }
  });
});
