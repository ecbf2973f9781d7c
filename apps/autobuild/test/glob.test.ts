import { describe, expect, test } from "vitest";
import { isGlob, matchesGlob, matchesGlobs } from "../src/plan/glob.ts";

describe("a glob", () => {
  test.each([
    ["main", "main", true],
    ["main", "main2", false],
    ["*", "main", true],
    ["*", "", true],
    ["*", "feature/x", false],
    ["**", "feature/x/y", true],
    ["feature/*", "feature/x", true],
    ["feature/*", "feature/x/y", false],
    ["feature/**", "feature/x/y", true],
    ["v*.*", "v1.2", true],
    ["v?", "v1", true],
    ["v?", "v", false],
    ["a?b", "a/b", false],
    ["a?b", "a😀b", true],
    ["**/*.md", "README.md", true],
    ["**/*.md", "docs/a/b.md", true],
    ["**/b.md", "docs/ab.md", false],
    ["a/**/b", "a/b", true],
    ["a/**/b", "a/x/y/b", true],
    ["a/**/b", "a/xb", false],
    ["{main,release/*}", "release/1", true],
    ["{main,release/*}", "releases", false],
    ["src/{a,b}/*.{ts,js}", "src/b/x.js", true],
    ["**", ".github/x", true],
    ["a.b", "axb", false],
    ["(a|b)+[c]^$", "(a|b)+[c]^$", true],
  ])("%s fits %s: %s", (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  test("takes a time that grows with the length alone, whatever the pattern", () => {
    const before = process.cpuUsage();
    expect(matchesGlob(`${"*a".repeat(99)}b`, `${"a".repeat(4000)}c`)).toBe(false);
    expect(matchesGlob(`${"**/".repeat(60)}b`, "a/".repeat(2000))).toBe(false);
    // Of the processor, whoever else uses it; by trying all ways it would take years.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000);
  });

  test("has bounds: 200 characters, 32 alternatives, braces that are closed and not nested", () => {
    expect(isGlob("x".repeat(200))).toBe(true);
    expect(isGlob("x".repeat(201))).toBe(false);
    expect(isGlob("{a,b}".repeat(5))).toBe(true);
    expect(isGlob("{a,b}".repeat(6))).toBe(false);
    expect(isGlob("{a")).toBe(false);
    expect(isGlob("a}")).toBe(false);
    expect(isGlob("{a,{b,c}}")).toBe(false);
    expect(isGlob("")).toBe(false);
    expect(matchesGlob("{a,b}".repeat(6), "aaaaaa")).toBe(false);
  });

  test("of a list: one that fits, and none behind a !", () => {
    expect(matchesGlobs(["src/**", "!**/*.md"], "src/a.ts")).toBe(true);
    expect(matchesGlobs(["src/**", "!**/*.md"], "src/a.md")).toBe(false);
    expect(matchesGlobs(["!wip/**"], "main")).toBe(true);
    expect(matchesGlobs(["!wip/**"], "wip/x")).toBe(false);
  });
});
