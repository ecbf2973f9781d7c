import { describe, expect, test } from "vitest";
import { Program } from "../support/program.ts";
import { TestRepository } from "../support/repository.ts";

const report = `<testsuite name="s"><testcase name="good"/><testcase name="bad"><failure message="no"/></testcase></testsuite>`;

describe("results", () => {
  test("of a build are its tests and the files that it keeps", async () => {
    const steps = [
      {
        name: "test",
        run: `mkdir -p out && printf '%s' '${report}' > out/junit.xml && echo content > 'out/a <b>.html' && echo two > 'out/two\nlines.html' && exit 1`,
        reports: ["out/*.xml"],
        artifacts: ["out/*.html", "none/*"],
      },
      { name: "later", run: "true", artifacts: ["x"] },
    ];
    const repository = new TestRepository({ ".autobuild.json": JSON.stringify({ steps }) });
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const answer = await fetch(`${program.url}/api/builds/1/results`);
    const results = (await answer.json()) as { artifacts: { url: string }[] };
    expect(results).toEqual({
      counts: { passed: 1, failed: 1, skipped: 0, flaky: 0 },
      problems: [],
      tests: [
        expect.objectContaining({ name: "bad", state: "failed", isNew: true, message: "no" }),
        expect.objectContaining({ name: "good", state: "passed" }),
      ],
      artifacts: [
        {
          position: 0,
          name: "out/a <b>.html",
          bytes: 8,
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          url: "/builds/1/artifacts/0/out/a%20%3Cb%3E.html",
        },
        expect.objectContaining({ url: "/builds/1/artifacts/0/out/two%0Alines.html" }),
      ],
    });
    const url = program.url + (results.artifacts[0]?.url ?? "");
    const file = await fetch(url);
    expect(await file.text()).toBe("content\n");
    expect(Object.fromEntries(file.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="a _b_.html"; filename*=UTF-8''a%20%3Cb%3E.html`,
      "x-content-type-options": "nosniff",
      "content-length": "8",
    });
    // No route took a name of several lines: it was listed, and not to be had.
    const lines = await fetch(`${program.url}/builds/1/artifacts/0/out/two%0Alines.html`);
    expect(await lines.text()).toBe("two\n");
    const part = await fetch(url, { headers: { Range: "bytes=3-5" } });
    expect([part.status, await part.text(), part.headers.get("content-range")]).toEqual([
      206,
      "ten",
      "bytes 3-5/8",
    ]);
    expect((await fetch(url, { headers: { Range: "bytes=8-" } })).status).toBe(416);
    const etag = file.headers.get("etag") ?? "";
    expect((await fetch(url, { headers: { "If-None-Match": etag } })).status).toBe(304);
    for (const path of [
      "0/out/b.html",
      "1/out/a%20%3Cb%3E.html",
      "0/..%2f..%2f..%2fautobuild.key",
      "0/%2e%2e/a",
    ])
      expect((await fetch(`${program.url}/builds/1/artifacts/${path}`)).status).toBe(404);
    expect((await fetch(`${program.url}/latest/project/out/a%20%3Cb%3E.html`)).status).toBe(404);

    repository.commit("mended", {
      ".autobuild.json": JSON.stringify({
        steps: [{ name: "make", run: "mkdir dist; echo two > dist/app.txt", artifacts: ["dist/"] }],
      }),
    });
    await program.buildEnded(2);
    const latest = await fetch(`${program.url}/latest/project/dist/app.txt?branch=main`);
    expect([latest.url, await latest.text()]).toEqual([
      `${program.url}/builds/2/artifacts/0/dist/app.txt`,
      "two\n",
    ]);
  });
});
