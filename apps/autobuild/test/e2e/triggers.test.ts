import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";

describe("autobuild watch", () => {
  test("builds what is saved, and takes hooks and the schema over HTTP", async () => {
    const repository = new TestRepository({ ...steps("cat a.txt"), "a.txt": "committed" });
    const program = await Program.start(["watch", repository.folder]);
    await program.buildEnded(1);
    writeFileSync(path.join(repository.folder, "a.txt"), "saved");
    expect(await program.buildEnded(2)).toMatchObject({ state: "passed", branch: "work tree" });

    const post = (forge: string, body: string): Promise<Response> =>
      fetch(`${program.url}/hooks/${forge}`, {
        method: "POST",
        body,
        headers: { Origin: "https://git.example.org", "Content-Type": "application/json" },
      });
    const local = await post("local", JSON.stringify({ repository: repository.folder }));
    expect([local.status, await local.text()]).toEqual([202, "looks at the repository\n"]);
    expect((await post("github", "{}")).status).toBe(503);
    expect((await post("sourcehut", "{}")).status).toBe(404);
    const schema = await fetch(`${program.url}/autobuild.schema.json`);
    expect(await schema.json()).toMatchObject({ title: "AutoBuild configuration" });
  });
});
