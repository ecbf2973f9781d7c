import { mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parseSource } from "../src/git/source.ts";
import { temporaryFolder } from "./support/temporary.ts";

describe("a repository's location", () => {
  test.each([
    [
      "https://example.org/team/project.git",
      "url",
      "https://example.org/team/project.git",
      "project",
    ],
    ["http://example.org/project/", "url", "http://example.org/project/", "project"],
    [
      "ssh://git@example.org:2222/project.git",
      "url",
      "ssh://example.org:2222/project.git",
      "project",
    ],
    ["git@example.org:team/project.git", "url", "example.org:team/project.git", "project"],
    ["file:///srv/git/project.git", "path", "/srv/git/project.git", "project"],
    ["/srv/project", "path", "/srv/project", "project"],
    ["../project", "path", "/home/project", "project"],
    [".", "path", "/home/ann", "ann"],
    ["./with:colon", "path", "/home/ann/with:colon", "with:colon"],
    ["/srv/projekt-ü/.git", "path", "/srv/projekt-ü/.git", "projekt-ü"],
  ])("%s is taken", (text, type, label, name) => {
    expect(parseSource(text, "/home/ann")).toMatchObject({ type, label, name });
  });

  test("keeps its password out of the label", () => {
    const source = parseSource("https://ann:secret@example.org/project.git");
    expect(source.label).toBe("https://example.org/project.git");
    expect(source.location).toContain("secret");
  });

  test.each([
    ["", "empty"],
    ["--upload-pack=touch /tmp/x", "starts with a hyphen"],
    ["-h", "starts with a hyphen"],
    ["ext::sh -c whoami", "can run any program"],
    ["EXT::sh -c whoami", "can run any program"],
    ["fd::17", "can run any program"],
    ["ext://sh -c whoami", "does not parse|is not allowed"],
    ["git://example.org/project", "git:// is not allowed"],
    ["ftp://example.org/project", "ftp:// is not allowed"],
    ["ssh://-oProxyCommand=whoami/x", "hyphen|does not parse"],
    ["ssh://-oProxy@example.org/x", "hyphen"],
    ["git@-oProxyCommand=whoami:x", "hyphen"],
    ["git@example.org:-x", "hyphen"],
    ["https://example.org/a\nb", "control character"],
    ["/srv/a\u0000b", "control character"],
    ["/srv/a\u202egnp", "control character"],
    ["file:///srv/a%0ab", "control character"],
    ["file:///srv/%zz", "two digits"],
    ["https://%zz@example.org/x", "two digits"],
    ["file://host/srv/x", "may not name a host"],
    ["https://ann:secret@", "does not parse"],
  ])("%j is refused with a sentence", (text, why) => {
    expect(() => parseSource(text, "/home/ann")).toThrow(
      expect.objectContaining({
        code: "AUTOBUILD_BAD_SOURCE",
        message: expect.stringMatching(
          new RegExp(`^Expected a repository as .*, got .*(${why}).* Give a path`),
        ),
      }),
    );
  });

  test("does not repeat a password in its refusal", () => {
    expect(() => parseSource("ftp://ann:secret@example.org/x")).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("secret") }),
    );
  });

  test("with allowed folders lies in one of them, links and dots resolved", () => {
    const folder = temporaryFolder();
    const root = path.join(folder, "allowed");
    mkdirSync(path.join(root, "project"), { recursive: true });
    mkdirSync(path.join(folder, "allowed-not"));
    symlinkSync(folder, path.join(root, "out"));
    symlinkSync(path.join(root, "project"), path.join(folder, "in"));
    const read = (text: string) => parseSource(text, root, [root]).location;
    expect(read("project")).toBe(path.join(root, "project"));
    expect(read(`file://${root}/project`)).toBe(path.join(root, "project"));
    expect(read(path.join(folder, "in"))).toBe(path.join(root, "project"));
    expect(read("https://example.org/x.git")).toBe("https://example.org/x.git");
    for (const outside of ["..", "../allowed-not", "out", "out/none", "/etc", "file:///etc"])
      expect(() => read(outside)).toThrow("lies outside of");
    expect(() => parseSource("/etc", root, [])).toThrow("outside of all folders");
  });
});
