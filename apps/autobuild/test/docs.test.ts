import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { configJsonSchema } from "../src/plan/config-schema.ts";
import { findPlan } from "../src/plan/find-plan.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

const page = readFileSync(path.join(import.meta.dirname, "../docs/configuration.md"), "utf8");
const rows = page.replaceAll(/ {2,}/g, " ");

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly description?: string;
}

describe("the reference of the configuration", () => {
  const schema = configJsonSchema() as Schema;
  test.each([
    ["the file", schema],
    ["a step", schema.properties?.["steps"]?.items],
    ["when", schema.properties?.["when"]],
  ])("has the fields of %s as the schema has them", (_what, of) => {
    const fields = Object.entries(of?.properties ?? {});
    expect(fields.length).toBeGreaterThan(3);
    for (const [name, { description }] of fields)
      expect(rows).toContain(`| \`${name}\` | ${description} |`);
  });

  test("shows examples that work", async () => {
    const plan = async (name: string, text: string, context?: Parameters<typeof findPlan>[2]) => {
      const folder = temporaryFolder();
      writeFiles(folder, { [name]: text });
      return findPlan(folder, undefined, context);
    };
    const [first = ""] = /(?<=```yaml\n).*?(?=```)/s.exec(page) ?? [];
    expect((await plan(".autobuild.yml", first, { event: "tag", tag: "v1" })).steps).toHaveLength(
      5,
    );
    // The end of a pipe is that of its last program: an example with one would show failed tests as passed.
    expect(first).not.toMatch(/run:.*\s\|\s/);
    const typed = /(?<=```ts\n).*?(?=```)/s.exec(page)?.[0] ?? "";
    expect((await plan("autobuild.config.ts", typed)).steps).toHaveLength(2);
    const parts = [...page.matchAll(/```yaml\n((?:matrix|cron):.*?)```/gs)].map(
      ([, text = ""]) => text,
    );
    expect(parts).toHaveLength(2);
    const indented = (parts[0] ?? "").replaceAll(/^/gm, "    ");
    const matrix = await plan(".autobuild.yml", `steps:\n  - name: a\n    run: b\n${indented}`);
    expect(matrix.steps).toHaveLength(4);
    await plan(".autobuild.yml", `steps: [{ name: a, run: b }]\n${parts[1]}`);
  });
});
