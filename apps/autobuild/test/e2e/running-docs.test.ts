import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { steps, TestRepository } from "../support/repository.ts";
import { temporaryFolder } from "../support/temporary.ts";

const workspace = path.join(import.meta.dirname, "../../../..");
const page = readFileSync(path.join(import.meta.dirname, "../../docs/running.md"), "utf8");

/** Runs a documented command that would start a server, with `plan` as its first argument. */
function planBy([program = "", ...args]: readonly string[], dataDir: string): string {
  const repository = new TestRepository(steps("echo one"));
  const cli = args.findIndex((arg) => arg.endsWith("cli.ts"));
  return execFileSync(program, [...args.slice(0, cli + 1), "plan", repository.folder], {
    cwd: workspace,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: dataDir },
  });
}

// The unit lacked the condition by which packages of this repository are found, and its Node was the system's.
test("the documented unit and image start the program that is here", () => {
  const unit = /^ExecStart=(.+)$/m.exec(page)?.[1] ?? "";
  const entry = /^ENTRYPOINT (\[.+\])$/m.exec(page)?.[1] ?? "[]";
  const home = temporaryFolder();
  expect(planBy(unit.replaceAll("/opt/windsock", workspace).split(" "), home)).toContain(
    "echo one",
  );
  const [, ...args] = JSON.parse(entry) as string[];
  expect(planBy([process.execPath, ...args], home)).toContain("echo one");
});
