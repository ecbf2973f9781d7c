import { describe, expect, test } from "vitest";
import { planBuild } from "../src/build/build-plan.ts";
import { branchOfPullRequest, branchOfTag, manualOrigin } from "../src/build/origin.ts";
import { findPlan } from "../src/plan/find-plan.ts";
import { TestRepository } from "./support/repository.ts";

const config = {
  submodules: true,
  steps: [
    { name: "always", run: "true", secrets: ["NPM_TOKEN"] },
    { name: "docs", run: "true", when: { path: "docs/**" } },
    { name: "tags", run: "true", when: { tag: "*" } },
    { name: "main", run: "true", when: { branch: "main" } },
  ],
};
const files = { ".autobuild.json": JSON.stringify(config), "docs/a": "1", "src/a": "1" };

describe("the plan of a build", () => {
  async function plan(branch: string, origin: Partial<typeof manualOrigin> = {}) {
    const repository = new TestRepository(files);
    const base = repository.git("rev-parse", "HEAD").trim();
    const sha = repository.commit("second", { ...files, "src/a": "2" });
    const { folder } = repository;
    return planBuild(
      { branch, sha },
      { ...manualOrigin, ...origin, ...(origin.baseSha === "base" && { baseSha: base }) },
      folder,
      `${folder}/.git`,
      { plan: (checkout, context) => findPlan(checkout, undefined, context) },
      new AbortController().signal,
    );
  }
  const names = async (...args: Parameters<typeof plan>) =>
    (await plan(...args)).steps.map(({ name }) => name);

  test("has the steps for its branch, its tag, and what changed since the build before", async () => {
    expect(await names("main")).toEqual(["always", "docs", "main"]);
    expect(await names("main", { baseSha: "base" })).toEqual(["always", "main"]);
    expect(await names("main", { baseSha: "0".repeat(40) })).toEqual(["always", "docs", "main"]);
    expect(await names(branchOfTag("v1"), { event: "tag" })).toEqual(["always", "docs", "tags"]);
  });

  test("has neither secrets nor submodules when a fork wrote it", async () => {
    expect(await plan("main")).toMatchObject({
      checkout: { submodules: true, lfs: false },
      steps: [{ secrets: ["NPM_TOKEN"] }, {}, {}],
    });
    const forked = await plan(branchOfPullRequest(7), { event: "pullRequest", isTrusted: false });
    expect(forked.checkout).toBeUndefined();
    expect(forked.steps.map(({ name, secrets }) => [name, ...secrets])).toEqual([
      ["always"],
      ["docs"],
    ]);
  });
});
