import { describe, expect, test } from "vitest";
import { compactScript, compactStyle, specifiersOf } from "../src/page-text.ts";

describe("a file of the page", () => {
  test("loses comments and indentation, and nothing that only looks like them", () => {
    const code = [
      "/** A noun. */",
      "export const one = '// no comment'; // one",
      "  const two = `/* no comment */ ${/* one */ one} `; /* and",
      "  another */ const three = /[/*`]\\/\\//.test(two);",
      "",
      "  const four = `",
      "    // a line of text",
      "    ${ { a: `x` /* one */ }.a }",
      "  `;",
      "const five = 8 / 2 / 1; // ` an odd backtick",
      "const six = 'continued \\",
      "   here';",
    ].join("\n");
    expect(compactScript(code)).toBe(
      [
        "\nexport const one = '// no comment';",
        "const two = `/* no comment */ ${  one} `;",
        "const three = /[/*`]\\/\\//.test(two);",
        "const four = `",
        "    // a line of text",
        "    ${ { a: `x`   }.a }",
        "  `;",
        "const five = 8 / 2 / 1;",
        "const six ='continued \\",
        "   here';",
      ].join("\n"),
    );
  });

  test("stays the program that it was", async () => {
    const code =
      "export const said = [/* a */`\n  b ${1 + /* c */ 1}\n`, 'd'].join('//'); // ` e\n  // f `\n";
    const load = (text: string) =>
      import(`data:text/javascript,${encodeURIComponent(text)}`) as Promise<{ said: string }>;
    expect((await load(compactScript(code))).said).toBe((await load(code)).said);
  });

  test("names other modules where code does, and not in texts", () => {
    const code = `import a from "./a.ts";\nimport "b";\nexport * from "./c.ts";\nconst t = 'import("no")';\nawait import("./d.ts");\nexport { e } from "e";\n`;
    expect(specifiersOf(code).map(({ name, isDynamic }) => [name, isDynamic])).toEqual([
      ["./a.ts", false],
      ["b", false],
      ["./c.ts", false],
      ["./d.ts", true],
      ["e", false],
    ]);
    for (const { start, end, name } of specifiersOf(code))
      expect(code.slice(start, end)).toBe(`"${name}"`);
  });

  test("of styles loses comments that have lines of their own", () => {
    expect(compactStyle("/* a\n b */\n.c {\n  d: e; /* f */\n}\n")).toBe(
      "\n.c {\nd: e; /* f */\n}\n",
    );
  });
});
