import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { ArtifactFolder } from "../src/results/artifacts.ts";
import { readReports } from "../src/results/reports.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

const pytest = `<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3" time="0.046">
<testcase classname="tests.test_a" name="test_good" time="0.001" />
<testcase classname="tests.test_a" name="test_bad &lt;b&gt;" time="1.5" file="tests/test_a.py" line="12">
<failure message="AssertionError: assert 1 == 2">def test_bad():
&gt;       assert 1 == 2</failure></testcase>
<testcase classname="tests.test_a" name="test_later" time="0"><skipped type="pytest.skip" message="not now"/></testcase>
</testsuite></testsuites>`;

const surefire = `<testsuite name="com.example.ATest">
<testcase name="mends" classname="com.example.ATest" time="1,234.5"><flakyFailure message="first" type="E"><stackTrace>at x</stackTrace></flakyFailure></testcase>
<testcase name="never" classname="com.example.ATest" time="0.2"><error type="java.lang.Error"><![CDATA[
java.lang.Error: no
  at y]]></error><rerunFailure message="again"/><system-out>noise</system-out></testcase>
</testsuite>`;

const tap = `TAP version 14
1..3
ok 1 - first # time=12ms
not ok 2 - second
  ---
  message: "is not it"
  stack: |
    at z
  ...
# Subtest: third
    ok 1 - inner
    not ok 2 - later # TODO some day
    1..2
ok 3 - third
`;

async function reports(
  files: Record<string, string>,
  globs: readonly string[],
  bounds?: Parameters<typeof readReports>[2],
) {
  const workspace = temporaryFolder();
  writeFiles(workspace, files);
  return readReports(workspace, globs, bounds);
}

describe("test reports", () => {
  test("are read as pytest writes them", async () => {
    const { tests, problems } = await reports({ "out/junit.xml": pytest }, ["out/*.xml"]);
    expect(problems).toEqual([]);
    expect(tests).toEqual([
      {
        suite: "tests.test_a",
        name: "test_bad <b>",
        state: "failed",
        isFlaky: false,
        durationMs: 1500,
        message: "AssertionError: assert 1 == 2",
        details: "def test_bad():\n>       assert 1 == 2",
        file: "tests/test_a.py",
        line: 12,
      },
      expect.objectContaining({ name: "test_good", state: "passed", durationMs: 1, message: null }),
      expect.objectContaining({ name: "test_later", state: "skipped", message: "not now" }),
    ]);
  });

  test("say which tests passed only at a second try", async () => {
    const { tests } = await reports({ "TEST-a.xml": surefire }, ["TEST-*.xml"]);
    expect(
      tests.map(({ name, state, isFlaky, durationMs }) => [name, state, isFlaky, durationMs]),
    ).toEqual([
      ["never", "failed", false, 200],
      ["mends", "passed", true, 1_234_500],
    ]);
    expect(tests[0]).toMatchObject({
      message: "java.lang.Error",
      details: "java.lang.Error: no\n  at y",
    });
  });

  test("may be TAP, with subtests, reasons and what is to do", async () => {
    const { tests, problems } = await reports({ "t.tap": tap, "report.txt": tap }, ["*.tap"]);
    expect(problems).toEqual([]);
    expect(tests.map(({ suite, name, state, message }) => [suite, name, state, message])).toEqual([
      ["", "second", "failed", "is not it"],
      ["", "first", "passed", null],
      ["third", "inner", "passed", null],
      ["third", "later", "skipped", "some day"],
    ]);
    const byContent = await reports({ "report.txt": tap }, ["report.txt"]);
    expect(byContent.tests).toHaveLength(4);
  });

  test("that are damaged, missing or too large are a problem in words; the others count", async () => {
    const { tests, problems } = await reports(
      {
        "a.xml": pytest,
        "b.xml": "<testsuite><testcase name='x'/></broken>",
        "c.xml": '<!DOCTYPE t [<!ENTITY a "aaaa">]><testsuite><testcase name="&a;"/></testsuite>',
        "d.xml": `<testsuite>${" ".repeat(3000)}</testsuite>`,
        "e.xml": "",
        "f.xml": "<a>".repeat(100),
      },
      ["*.xml"],
      { maxFileBytes: 2500, maxTests: 100 },
    );
    expect(tests.map(({ name }) => name)).toEqual(["test_bad <b>", "test_good", "test_later", "x"]);
    expect(problems.map((problem) => problem.slice(0, 75))).toEqual([
      expect.stringMatching(/^The report b\.xml could not be read: 1:\d+/),
      expect.stringContaining(
        "The report c.xml could not be read: Expected a report without a document",
      ),
      expect.stringContaining("The report d.xml could not be read: expected at most 2500 bytes"),
      expect.stringContaining(
        "The report f.xml could not be read: Expected elements at most 64 deep",
      ),
    ]);
    expect((await reports({}, ["out/*.xml"])).problems).toEqual([
      "Expected reports at out/*.xml, found none.",
    ]);
  });

  test("keep what failed when there are more tests than are kept", async () => {
    const cases = Array.from({ length: 30 }, (_, index) =>
      index % 3 === 0
        ? `<testcase name="t${index}"><failure/></testcase>`
        : `<testcase name="t${index}"/>`,
    );
    const { tests, problems } = await reports(
      { "a.xml": `<testsuite>${cases.join("")}</testsuite>` },
      ["a.xml"],
      { maxFileBytes: 1 << 20, maxTests: 12 },
    );
    expect(tests.filter(({ state }) => state === "failed")).toHaveLength(10);
    expect(tests).toHaveLength(12);
    expect(problems).toEqual(["Only 12 of 30 tests are kept, those that failed first."]);
  });
});

describe("artifacts", () => {
  test("are kept by what is in them, and given back by ranges", async () => {
    const workspace = temporaryFolder();
    writeFiles(workspace, {
      "dist/app.js": "hello",
      "dist/deep/copy.js": "hello",
      "src/x.js": "no",
    });
    const folder = new ArtifactFolder(temporaryFolder());
    const { artifacts, problems } = await folder.keep(7, 2, workspace, ["dist/"]);
    expect(problems).toEqual([]);
    expect(artifacts.map(({ name, bytes, position }) => [position, name, bytes])).toEqual([
      [2, "dist/app.js", 5],
      [2, "dist/deep/copy.js", 5],
    ]);
    expect(await folder.bytesOf(7)).toBe(5);
    const stream = await folder.open(7, artifacts[0]?.sha256 ?? "", { from: 1, to: 3 });
    expect((await stream?.toArray())?.join("")).toBe("ell");
    await folder.remove(7);
    expect(await folder.open(7, artifacts[0]?.sha256 ?? "")).toBeUndefined();
  });

  test("never come from outside of the workspace", async () => {
    const outside = temporaryFolder();
    writeFileSync(path.join(outside, "secret.txt"), "secret");
    const workspace = temporaryFolder();
    mkdirSync(path.join(workspace, "out"));
    symlinkSync(path.join(outside, "secret.txt"), path.join(workspace, "out/link.txt"));
    symlinkSync(outside, path.join(workspace, "out/folder"));
    const folder = new ArtifactFolder(temporaryFolder());
    for (const globs of [
      ["out/**"],
      ["../*/secret.txt"],
      ["/etc/passwd"],
      ["out/folder/secret.txt"],
      ["**/*"],
    ]) {
      const kept = await folder.keep(1, 0, workspace, globs);
      expect(kept.artifacts).toEqual([]);
      expect(kept.problems).toEqual([`Expected artifacts at ${globs[0]}, found none.`]);
    }
    await expect(folder.open(1, "../../secret.txt")).rejects.toThrow("Expected a SHA-256");
  });

  // "ENOENT": the name was read as text, and asked for with other bytes than it has.
  test("are kept under names that are no UTF-8, whose bytes are written out", async () => {
    const workspace = temporaryFolder();
    const named = (...parts: (string | number)[]): Buffer =>
      Buffer.concat([
        Buffer.from(`${workspace}/`),
        ...parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.of(part))),
      ]);
    mkdirSync(named("d\u{1f600}", 0xff));
    writeFileSync(named("d\u{1f600}", 0xff, "/\u00e9", 0xe2, 0x82, ".txt"), "one");
    writeFileSync(named("caf", 0xe9, ".txt"), "latin");
    writeFileSync(named("caf\\xE9.txt"), "twin");
    writeFileSync(named("caf\u00e9.xml"), pytest);
    writeFileSync(named("r", 0xe9, ".xml"), pytest);
    const folder = new ArtifactFolder(temporaryFolder());
    const { artifacts, problems } = await folder.keep(1, 0, workspace, ["**/*.txt"]);
    expect(artifacts.map(({ name }) => name)).toEqual([
      "caf\\xE9.txt",
      "d\u{1f600}\\xFF/\u00e9\\xE2\\x82.txt",
    ]);
    expect(problems).toEqual([
      "The artifact caf\\xE9.txt was not kept: another one is called the same.",
    ]);
    const reported = await readReports(workspace, ["*.xml"]);
    expect([reported.problems, reported.tests.length]).toEqual([[], 6]);
  });

  test("that a build has no room for are left out, and said", async () => {
    const workspace = temporaryFolder();
    writeFiles(workspace, {
      "a.bin": "x".repeat(60),
      "b.bin": "y".repeat(60),
      "c.bin": "z".repeat(30),
    });
    const folder = new ArtifactFolder(temporaryFolder(), { maxArtifactBytes: 100 });
    const { artifacts, problems } = await folder.keep(1, 0, workspace, ["*.bin"]);
    expect(artifacts.map(({ name }) => name)).toEqual(["a.bin", "c.bin"]);
    expect(problems).toEqual([
      "The artifact b.bin was not kept: a build keeps at most 100 bytes of artifacts, and this one has 60.",
    ]);
  });
});
