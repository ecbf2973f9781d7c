import { SaxesParser } from "saxes";
import { describe, expect, test } from "vitest";
import { badgeOf } from "../src/badges/badge.ts";
import { ccXml } from "../src/badges/cc.ts";
import type { Build } from "../src/build/build.ts";

function build(change: Partial<Build> = {}): Build {
  return {
    id: 7,
    state: "passed",
    durationMs: 125_000,
    finishedMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    ...change,
  } as Build;
}

/** The texts and attributes of a document; throws where it is not XML. */
function read(xml: string): { texts: string[]; attributes: Record<string, string>[] } {
  const parser = new SaxesParser();
  const texts: string[] = [];
  const attributes: Record<string, string>[] = [];
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", (tag) => attributes.push(tag.attributes));
  parser.on("text", (text) => {
    if (text.trim() !== "") texts.push(text);
  });
  parser.write(xml).close();
  return { texts, attributes };
}

const hostile = '"><script>alert(1)</script>&amp;\u0001\ud800]]>';

describe("a badge", () => {
  test.each([
    [build(), "passed 2 min 5 s"],
    [build({ state: "failed" }), "failed"],
    [build({ state: "running", durationMs: null }), "running"],
    [undefined, "no builds"],
  ])("says how a branch stands", (of, words) => {
    expect(read(badgeOf("build", of)).texts).toEqual([`build: ${words}`, "build", words]);
  });

  test("shows a hostile label as text", () => {
    const { texts } = read(badgeOf(hostile, build()));
    expect(texts[1]).toBe('"><script>alert(1)</script>&amp;\ufffd\ufffd]]>');
  });
});

test("cc.xml has a project for each branch", () => {
  const { attributes } = read(
    ccXml([
      {
        name: "one/main",
        webUrl: "http://x/builds/7",
        last: build(),
        newest: build({ id: 8, state: "running" }),
      },
      { name: hostile, webUrl: "http://x/", last: build({ state: "failed" }), newest: build() },
      { name: "new", webUrl: "http://x/", last: undefined, newest: undefined },
    ]),
  );
  expect(attributes.slice(1)).toEqual([
    {
      name: "one/main",
      activity: "Building",
      lastBuildStatus: "Success",
      lastBuildLabel: "7",
      lastBuildTime: "2026-01-02T03:04:05.000Z",
      webUrl: "http://x/builds/7",
    },
    expect.objectContaining({
      name: '"><script>alert(1)</script>&amp;\ufffd\ufffd]]>',
      lastBuildStatus: "Failure",
    }),
    expect.objectContaining({ lastBuildStatus: "Unknown", lastBuildLabel: "" }),
  ]);
});
