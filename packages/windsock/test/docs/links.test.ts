import { existsSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { describe, expect, test } from "vitest";
import { anchorsOf, pages, parse, read, root } from "./pages.ts";

const link = /!?\[[^\]]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)|<(?:img|a)\s[^>]*(?:src|href)="([^"]+)"/g;

describe.each(pages)("%s", (page) => {
  const targets = [
    ...parse(read(page))
      .prose.replace(/`[^`\n]*`/g, "")
      .matchAll(link),
  ]
    .map(([, target, other]) => target ?? other ?? "")
    .filter((target) => !/^[a-z]+:/i.test(target));

  test("its links lead to files and headings that are there", () => {
    const broken = targets.filter((target) => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      if (file.startsWith("..") || !existsSync(`${root}${file}`)) return true;
      return anchor !== undefined && file.endsWith(".md") && !anchorsOf(file).has(anchor);
    });
    expect(broken).toEqual([]);
  });
});
