import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { AutobuildError } from "../src/errors.ts";
import { configJsonSchema } from "../src/plan/config-schema.ts";
import { findPlan } from "../src/plan/find-plan.ts";
import { step, stepDefaults, type Plan, type PlannedStep } from "../src/plan/plan.ts";
import type { BuildContext } from "../src/plan/when.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

function planIn(files: Record<string, string>, context?: BuildContext): Promise<Plan> {
  const folder = temporaryFolder();
  writeFiles(folder, files);
  return findPlan(folder, undefined, context);
}

const yaml = (text: string, context?: BuildContext) => planIn({ ".autobuild.yml": text }, context);
const json = (config: unknown) => planIn({ ".autobuild.json": JSON.stringify(config) });
const refusal = (plan: Promise<Plan>): Promise<string> =>
  plan.then(
    () => expect.fail("Expected a refusal."),
    (error: unknown) => {
      expect(error).toMatchObject({ code: "AUTOBUILD_BAD_CONFIG" });
      return (error as AutobuildError).message;
    },
  );
const namesAndNeeds = (plan: Plan) => plan.steps.map(({ name, needs }) => [name, ...needs]);
const one = async (fields: object): Promise<PlannedStep> =>
  (await json({ steps: [{ name: "a", run: "b", ...fields }] })).steps[0]!;

describe("a configuration", () => {
  test("comes before everything else; a text goes through a shell, an array does not", async () => {
    const config = {
      steps: [
        { name: "lint", run: "npm run lint | cat", timeoutMs: 1000 },
        { name: "test", run: ["./test", "$HOME"] },
      ],
      env: { TZ: "UTC" },
    };
    const plan = await planIn({ ".autobuild.json": JSON.stringify(config), "package.json": "{}" });
    expect(plan).toEqual({
      reason: "found .autobuild.json with 2 steps",
      environment: { TZ: "UTC" },
      timeoutMs: 7_200_000,
      steps: [
        {
          ...stepDefaults,
          name: "lint",
          argv: ["/bin/sh", "-ec", "npm run lint | cat"],
          command: "npm run lint | cat",
          timeoutMs: 1000,
        },
        { ...step("test", "./test", "$HOME"), needs: ["lint"] },
      ],
    });
  });

  // Several lines passed when the last one did, whatever had failed before it.
  test("ends several lines at the first that fails", async () => {
    const text =
      "steps:\n  - name: test\n    run: |\n      echo one\n      false\n      echo two\n";
    const [program = "", ...args] = (await planIn({ ".autobuild.yml": text })).steps[0]?.argv ?? [];
    expect(spawnSync(program, args, { encoding: "utf8" })).toMatchObject({
      status: 1,
      stdout: "one\n",
    });
  });

  test("reads the same from YAML, JSON and TypeScript", async () => {
    const config = {
      steps: [{ name: "test", run: ["npm", "test"], retry: 2, needs: [] as string[] }],
      timeout: "1h",
    };
    const plans = [
      await yaml(
        "timeout: 1h\nsteps:\n  - name: test\n    run: [npm, test]\n    retry: 2\n    needs: []\n",
      ),
      await json(config),
      await planIn({
        "autobuild.config.ts": `import { defineConfig } from "autobuild/config";
          type Minutes = number;
          const retry: Minutes = 2;
          export default defineConfig({ steps: [{ name: "test", run: ["npm", "test"], retry, needs: [] }], timeout: "1h" });`,
      }),
    ];
    const [first] = plans.map(({ steps, timeoutMs }) => ({ steps, timeoutMs }));
    for (const { steps, timeoutMs } of plans) expect({ steps, timeoutMs }).toEqual(first);
    expect(first?.timeoutMs).toBe(3_600_000);
  });

  test("stands in one file", async () => {
    expect(await refusal(planIn({ ".autobuild.json": "{}", ".autobuild.yml": "" }))).toBe(
      "Expected one configuration, got .autobuild.yml and .autobuild.json. Remove all but one.",
    );
  });

  test("gives a step all it asks for", async () => {
    expect(
      await one({
        env: { A: "1" },
        timeout: "1h30m",
        silenceTimeout: 5000,
        retry: { times: 3, on: ["timeout"] },
        tty: false,
        image: "docker.io/library/node:26",
        secrets: ["NPM_TOKEN"],
        artifacts: "dist/**",
        reports: ["junit.xml", "**/*.tap"],
      }),
    ).toEqual({
      ...stepDefaults,
      name: "a",
      argv: ["/bin/sh", "-ec", "b"],
      command: "b",
      environment: { A: "1" },
      timeoutMs: 5_400_000,
      silenceTimeoutMs: 5000,
      retry: { times: 3, on: ["timeout"] },
      tty: false,
      image: "docker.io/library/node:26",
      secrets: ["NPM_TOKEN"],
      artifacts: ["dist/**"],
      reports: ["junit.xml", "**/*.tap"],
    });
  });

  test("takes each limit, and refuses one more", async () => {
    const good = { name: "a", run: "b" };
    const day = 24 * 60 * 60_000;
    const many = (count: number) => ({ steps: Array.from({ length: count }, () => good) });
    expect((await one({ timeoutMs: day, name: "n".repeat(100) })).timeoutMs).toBe(day);
    expect((await one({ timeout: "1d" })).timeoutMs).toBe(day);
    const plan = await json(many(100));
    expect(new Set(plan.steps.map(({ name }) => name)).size).toBe(100);
    expect(plan.steps[1]).toMatchObject({ name: "a (2)", needs: ["a"] });
    expect(await refusal(json(many(101)))).toContain("1 to 100 steps, got an array of 101.");
    await expect(one({ timeoutMs: day + 1 })).rejects.toThrow("got 86400001 (number).");
    await expect(one({ timeout: "24h1s" })).rejects.toThrow("of at most 24 hours");
    await expect(one({ name: "n".repeat(101) })).rejects.toThrow("1 to 100 characters");
    const variables = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, "x"]));
    expect(Object.keys((await one({ env: variables(200) })).environment)).toHaveLength(200);
    await expect(one({ env: variables(201) })).rejects.toThrow("at most 200 texts, got an object");
    await expect(one({ retry: 11 })).rejects.toThrow("0 to 10");
    await expect(planIn({ ".autobuild.json": " ".repeat(1024 * 1024 + 1) })).rejects.toThrow(
      "at most 1 MiB",
    );
    await expect(yaml(`#${" ".repeat(128 * 1024)}`)).rejects.toThrow("at most 128 KiB");
  });
});

describe("what a step needs", () => {
  const plan = (steps: object[]) =>
    json({ steps: steps.map((each) => ({ run: "true", ...each })) });

  test("is the step above, unless it says otherwise", async () => {
    expect(
      namesAndNeeds(
        await plan([
          { name: "install" },
          { name: "lint" },
          { name: "test", needs: "install" },
          { name: "docs", needs: [] },
          { name: "pack", needs: ["lint", "test", "docs"] },
        ]),
      ),
    ).toEqual([
      ["install"],
      ["lint", "install"],
      ["test", "install"],
      ["docs"],
      ["pack", "lint", "test", "docs"],
    ]);
  });

  test("may stand below it: the plan has it first", async () => {
    expect(
      namesAndNeeds(
        await plan([
          { name: "b", needs: "a" },
          { name: "a", needs: [] },
        ]),
      ),
    ).toEqual([["a"], ["b", "a"]]);
  });

  test("is refused where there is no such step, with the one that was meant", async () => {
    expect(
      await refusal(
        yaml(
          "steps:\n  - name: build\n    run: make\n  - name: test\n    needs: [biuld]\n    run: make test\n",
        ),
      ),
    ).toBe(
      [
        '.autobuild.yml:5:13: Expected `steps[1].needs[0]` to be the name of a step, got "biuld". Did you mean "build"?',
        "  3 |     run: make",
        "  4 |   - name: test",
        "> 5 |     needs: [biuld]",
        "    |             ^^^^^",
        "  6 |     run: make test",
      ].join("\n"),
    );
  });

  test("is refused where it goes in a circle, which is named", async () => {
    expect(
      await refusal(
        plan([{ name: "a", needs: "c" }, { name: "b" }, { name: "c" }, { name: "d", needs: "d" }]),
      ),
    ).toContain('got a circle: "a" needs "c" needs "b" needs "a". Remove one of these needs.');
    expect(await refusal(plan([{ name: "d", needs: "d" }]))).toContain('"d" needs "d"');
  });
});

describe("a matrix", () => {
  const matrix = async (fields: object, more: object[] = []) =>
    json({ steps: [{ name: "test", run: "t", ...fields }, ...more] });
  const names = async (fields: object) => (await matrix(fields)).steps.map(({ name }) => name);

  test("makes one step of each combination, at once, and those after it wait for all", async () => {
    const plan = await matrix(
      {
        run: ["npx", "node@${matrix.node}", "test.js"],
        env: { OS: "${matrix.os}" },
        image: "node:${matrix.node}",
        matrix: { node: [24, 26], os: ["linux"] },
      },
      [
        { name: "pack", run: "p" },
        { name: "one", run: "o", needs: "test (node=26, os=linux)" },
      ],
    );
    expect(namesAndNeeds(plan)).toEqual([
      ["test (node=24, os=linux)"],
      ["test (node=26, os=linux)"],
      ["pack", "test (node=24, os=linux)", "test (node=26, os=linux)"],
      ["one", "test (node=26, os=linux)"],
    ]);
    expect(plan.steps[1]).toMatchObject({
      argv: ["npx", "node@26", "test.js"],
      environment: { MATRIX_NODE: "26", MATRIX_OS: "linux", OS: "linux" },
      image: "node:26",
    });
  });

  test("leaves out what is excluded, and adds what is included", async () => {
    expect(
      await names({
        matrix: {
          a: [1, 2],
          b: ["x", "y"],
          exclude: [{ a: 1, b: "y" }],
          include: [
            { a: 3, b: "z" },
            { a: 2, b: "x" },
          ],
        },
      }),
    ).toEqual(["test (a=1, b=x)", "test (a=2, b=x)", "test (a=2, b=y)", "test (a=3, b=z)"]);
  });

  test("has bounds, and values that no shell takes for more than a word", async () => {
    const ten = Array.from({ length: 10 }, (_, index) => index);
    expect(await names({ matrix: { a: ten, b: [1, 2, 3, 4, 5] } })).toHaveLength(50);
    expect(await refusal(matrix({ matrix: { a: ten, b: [1, 2, 3, 4, 5, 6] } }))).toContain(
      "at most 50 combinations, got 60",
    );
    expect(await refusal(matrix({ matrix: { a: ten, b: ten, c: ten, d: ten } }))).toContain(
      "at most 50 combinations, got 10000",
    );
    expect(await refusal(matrix({ matrix: { a: [] } }))).toContain("an array of 1 to 20 values");
    expect(await refusal(matrix({ matrix: { a: ["$(id)"] } }))).toContain("letters, digits and");
    expect(await refusal(matrix({ matrix: { "a b": [1] } }))).toContain("whose axes are names");
    expect(await refusal(matrix({ matrix: { a: [1], exclude: [{ a: 1 }] } }))).toContain(
      "at least one combination, got none",
    );
    const dots = { matrix: { a: ["..", "-v"] } };
    for (const field of [
      { run: ["${matrix.a}"] },
      { image: "${matrix.a}" },
      { artifacts: "${matrix.a}/x" },
      { reports: ["/${matrix.a}"] },
    ])
      expect(await refusal(matrix({ ...dots, ...field }))).toMatch(/Expected `steps\[0\]/);
    expect(
      (await matrix({ image: "${matrix.a}:1", matrix: { a: ["node"] } })).steps[0]?.image,
    ).toBe("node:1");
    expect(await refusal(matrix({ run: "x ${matrix.nod}", matrix: { node: [1] } }))).toContain(
      'Did you mean "node"?',
    );
  });
});

describe("when", () => {
  const config = `
when: { branch: ["**", "!wip/**"] }
steps:
  - { name: build, run: b }
  - { name: docs, run: d, when: { path: "docs/**" } }
  - { name: test, run: t }
  - { name: release, run: r, when: { tag: "v*" } }
  - { name: nightly, run: n, when: { event: [cron, manual], branch: main } }
`;
  const plan = async (context: BuildContext) => namesAndNeeds(await yaml(config, context));

  test("leaves steps out, and who needs them waits for what they needed", async () => {
    expect(await plan({ event: "push", branch: "topic", changedPaths: ["src/a.ts"] })).toEqual([
      ["build"],
      ["test", "build"],
    ]);
    expect(await plan({ event: "push", branch: "topic", changedPaths: ["docs/a/b.md"] })).toEqual([
      ["build"],
      ["docs", "build"],
      ["test", "docs"],
    ]);
    expect(await plan({ event: "tag", tag: "v1.0", changedPaths: [] })).toEqual([
      ["build"],
      ["test", "build"],
      ["release", "test"],
    ]);
    expect((await plan({ event: "cron", branch: "main" })).map(([name]) => name)).toEqual([
      "build",
      "docs",
      "test",
      "nightly",
    ]);
  });

  test("says what was left out, and refuses to leave out everything", async () => {
    expect((await yaml(config, { event: "push", branch: "x", changedPaths: [] })).reason).toBe(
      "found .autobuild.yml with 2 steps; not for this build: docs, release, nightly",
    );
    expect(
      await refusal(
        yaml("steps: [{ name: a, run: b, when: { branch: main } }]", {
          event: "push",
          branch: "x",
        }),
      ),
    ).toContain("at least one step whose `when` fits this build, got none");
  });
});

describe("a fault", () => {
  test.each([
    [
      "[]",
      ".autobuild.json:1:1: Expected the configuration to be an object with steps and perhaps more, got an array of 0.",
    ],
    ["{}", ".autobuild.json:1:1: Expected `steps` to be an array of 1 to 100 steps, got nothing."],
    [
      '{"steps":[]}',
      ".autobuild.json:1:10: Expected `steps` to be an array of 1 to 100 steps, got an array of 0.",
    ],
    [
      '{"steps":["make"]}',
      '.autobuild.json:1:11: Expected `steps[0]` to be an object with name, run and perhaps more, got "make" (string).',
    ],
    [
      '{"steps":[{"name":"a","run":7}]}',
      '.autobuild.json:1:29: Expected `steps[0].run` to be a shell line such as "make test", or an array of a program and its arguments, got 7 (number).',
    ],
    ['{"steps":[{"name":"a","run":[]}]}', "got an array of 0."],
    [
      '{"steps":[{"name":"a","run":["-c","x"]}]}',
      'Expected `steps[0].run[0]` to be a program whose name does not begin with a hyphen (write ./ before it), got "-c" (string).',
    ],
    [
      '{"steps":[{"name":"a","run":" "}]}',
      'or an array of a program and its arguments, got " " (string).',
    ],
    [
      '{"steps":[{"name":"a\\u001b","run":"x"}]}',
      "Expected `steps[0].name` to be a text of 1 to 100 characters on one line",
    ],
    [
      '{"steps":[{"name":"a","run":"x","timeout":"5 minutes"}]}',
      'Expected `steps[0].timeout` to be a whole number of milliseconds from 1 to 86400000, or a text such as "90s", "10m" or "1h30m", got "5 minutes" (string).',
    ],
    [
      '{"steps":[{"name":"a","run":"x","tiemout":5}]}',
      ', got "tiemout" (string). Did you mean "timeout"?',
    ],
    [
      '{"steps":[{"name":"a","run":"x","unheard":5}]}',
      ', got "unheard" (string). Remove it, or correct its name.',
    ],
    [
      '{"steps":[{"name":"a","run":"x","when":{"branches":"x"}}]}',
      'Expected `steps[0].when` to have only branch, tag, path and event, got "branches" (string). Did you mean "branch"?',
    ],
    [
      '{"steps":[{"name":"a","run":"x","timeout":5,"timeoutMs":5}]}',
      "Expected `timeout` or `timeoutMs`, got both.",
    ],
    ['{"steps":[{"name":"a","run":"x","artifacts":"../x"}]}', "without .. and not from / on"],
    ['{"steps":[{"name":"a","run":"x","secrets":["AUTOBUILD_X"]}]}', "a name of capital letters"],
    ['{"steps":[{"name":"a","run":"x","image":"-v/:/x"}]}', "the name of a container image"],
    [
      '{"steps":[{"name":"a","run":"x"}],"env":{"A":1}}',
      "Expected `env.A` to be a text (in quotes), got 1 (number).",
    ],
    [
      '{"steps":[{"name":"a","run":"x"}],"env":{"AUTOBUILD_COOKIE":"x"}}',
      'that does not begin with AUTOBUILD, got "AUTOBUILD_COOKIE" (string).',
    ],
    ['{"steps":[{"name":"a","run":"x"}],"env":{"A=B":"x"}}', 'got "A=B" (string).'],
    ['{"steps":[{"name":"a","run":"x"}],"when":{"branch":"{a"}}', "a glob of 1 to 200 characters"],
    [
      "{steps:",
      ".autobuild.json:1:2: Expected JSON, got a file that does not parse: Expected property name or '}'.",
    ],
    ['{\n  "steps": [\n', ".autobuild.json:3:1: Expected JSON"],
    [
      '{"steps":[],\n"steps":[]}',
      '.autobuild.json:2:1: Expected each key once, got "steps" a second time.',
    ],
  ])("in %s is told with its place, what was expected and what came", async (text, message) => {
    expect(await refusal(planIn({ ".autobuild.json": text }))).toContain(message);
  });

  test("is shown in its lines, without what could steer a terminal; at most five are", async () => {
    const bad = "\u001b[31m\u202eevil";
    const text = `steps:\r\n  - name: a\r\n    run: b\r\n    ${bad}: 1\r\n    shell: x\r\n    e1: 1\r\n    e2: 1\r\n    e3: 1\r\n    e4: 1\r\n    e5: 1\r\n`;
    const message = await refusal(yaml(text.replaceAll("\u001b", "e")));
    expect(message).toContain("> 4 |     e[31m\ufffdevil: 1");
    expect(message).not.toContain("\u202e");
    expect(message).toMatch(/\n\nAnd 2 more like these\.$/);
    expect(message.match(/Expected `steps\[0\]`/g)).toHaveLength(5);
  });

  // A field that is missing because it is mistyped was told first, and what was wrong in two ways twice.
  test("is told once", async () => {
    const message = await refusal(
      yaml("steps:\n  - name: a\n    runs: b\n  - name: c\n    run: d\n    timeout: forever\n"),
    );
    expect(message.match(/^\.autobuild\.yml:\d+:\d+/gm)).toEqual([
      ".autobuild.yml:3:5",
      ".autobuild.yml:6:14",
    ]);
    expect(message).toContain('got "runs" (string). Did you mean "run"?');
  });

  test("on a long line is shown with what is around it", async () => {
    const message = await refusal(
      yaml(`steps: [{ name: a, run: ${"x".repeat(5000)}, tiemout: 1 }]`),
    );
    expect(message).toMatch(/^\.autobuild\.yml:1:5027: /);
    const [, shown = "", marks = ""] = /\n> 1 \| (.*)\n {4}\| (.*)/.exec(message) ?? [];
    expect(shown.slice(marks.indexOf("^"), marks.lastIndexOf("^") + 1)).toBe("tiemout");
  });
});

describe("YAML from somebody else", () => {
  const nested = (levels: number): string => {
    let text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
    for (let level = 1; level < levels; level++)
      text += `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(",")}]\n`;
    return text;
  };
  test.each([
    ["a bomb of aliases", nested(12), "at most 100 times"],
    ["deep nesting", "[".repeat(20_000), "not nested by the hundred"],
    ["two documents", "steps: []\n---\nsteps: []\n", "got a second one after ---"],
    [
      "a key twice",
      "steps: []\nenv: {}\nsteps: []\n",
      '.autobuild.yml:3:1: Expected each key once, got "steps"',
    ],
    ["an alias to itself", "steps: &a [*a]\n", "Expected `steps[0]` to be an object"],
    ["an unknown tag", "steps: !!js/function x\n", "Expected"],
    ["no end", 'steps: "x\n', "Expected YAML, got a file that does not parse"],
    ["nothing", "", "Expected the configuration to be an object"],
    ["prototypes", "__proto__: { steps: [] }\nconstructor: 1\n", 'got "__proto__" (string)'],
    [
      "many keys",
      Array.from({ length: 12_000 }, (_, index) => `k${index}:`).join("\n"),
      "And 11996 more",
    ],
  ])("%s is refused, and soon", async (_what, text, message) => {
    const before = process.cpuUsage();
    expect(await refusal(yaml(text))).toContain(message);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(5000);
  });

  // It was run with other characters in their place.
  test("is refused where it is no UTF-8, with the line", async () => {
    const folder = temporaryFolder();
    writeFileSync(
      path.join(folder, ".autobuild.yml"),
      Buffer.from("steps:\n  - run: caf\u00e9\n", "latin1"),
    );
    expect(await refusal(findPlan(folder))).toBe(
      ".autobuild.yml:2: Expected UTF-8, got bytes that are none. Save the file as UTF-8.",
    );
  });

  test("may use anchors and merge keys", async () => {
    const plan = await yaml(
      "steps:\n  - &base { name: a, run: b, timeout: 5m }\n  - { <<: *base, name: c }\n",
    );
    expect(plan.steps.map(({ name, timeoutMs }) => [name, timeoutMs])).toEqual([
      ["a", 300_000],
      ["c", 300_000],
    ]);
  });
});

describe("autobuild.config.ts", () => {
  const typed = (text: string) => planIn({ "autobuild.config.ts": text });

  test.each([
    [
      "throws",
      'const a = 1;\nthrow new Error("no such thing");',
      "autobuild.config.ts:2:",
      "Error: no such thing",
    ],
    [
      "does not parse",
      "export default {\n  steps: [\n};",
      "autobuild.config.ts",
      "Expected a configuration",
    ],
    ["exports nothing", "const x = 1;", "autobuild.config.ts", "got no default export"],
    [
      "imports a package",
      'import "left-pad";',
      "autobuild.config.ts",
      'node: modules only, got "left-pad"',
    ],
    ["imports a file", 'import "./other.ts";', "autobuild.config.ts", 'got "./other.ts"'],
    [
      "reads a file",
      'import { readFileSync, writeFileSync } from "node:fs";\nreadFileSync("/etc/passwd");',
      "autobuild.config.ts",
      "evaluated without files",
    ],
    [
      "writes a file",
      'import { writeFileSync } from "node:fs";\nwriteFileSync("/tmp/x", "");',
      "autobuild.config.ts",
      "evaluated without files",
    ],
    [
      "starts a process",
      'import { execSync } from "node:child_process";\nexecSync("id");',
      "autobuild.config.ts",
      "evaluated without files",
    ],
    [
      "speaks to the network",
      'await fetch("http://127.0.0.1:1/");',
      "autobuild.config.ts",
      "Expected a configuration",
    ],
    [
      "exports too much",
      'export default "x".repeat(2e6);',
      "autobuild.config.ts",
      "more than 1048576 bytes",
    ],
    [
      "takes too much memory",
      "const a = [];\nfor (;;) a.push(new Array(1e5).fill(1.5));",
      "autobuild.config.ts",
      "ran out of memory",
    ],
    [
      "takes too much memory outside the heap",
      "const a = [];\nfor (;;) a.push(Buffer.alloc(1e8, 1));",
      "autobuild.config.ts:2",
      "ran out of memory",
    ],
    [
      "has a wrong field",
      'export default {\n  steps: [{ name: "a", run: "b",\n    tiemout: 5 }],\n};',
      "autobuild.config.ts:3:5: ",
      'Did you mean "timeout"?',
    ],
  ])("that %s is refused", async (_what, text, place, message) => {
    const said = await refusal(typed(text));
    expect(said).toContain(message);
    expect(said.startsWith(place)).toBe(true);
  });

  test("sees nothing of the server's environment", async () => {
    const plan = await typed(
      'export default { steps: [{ name: Object.keys(process.env).sort().join(" ").slice(0, 99) || "empty", run: "x" }] };',
    );
    // The shell that sets the limit adds these.
    expect(plan.steps[0]?.name).toMatch(/^(?:empty|(?:OLDPWD|PWD|SHLVL|_)(?: |$))*$/);
  });

  test("has a time limit", async () => {
    const { readTypeScriptConfig } = await import("../src/plan/typescript-config.ts");
    await expect(
      readTypeScriptConfig("autobuild.config.ts", "for (;;);", { timeoutMs: 300, maxBytes: 100 }),
    ).rejects.toThrow("got none within 0.3 s");
  });

  test("may print, and end by itself", async () => {
    expect(
      (await typed('console.log("hello");\nexport default { steps: [{ name: "a", run: "b" }] };'))
        .steps,
    ).toHaveLength(1);
    expect(await refusal(typed("process.exit(0);"))).toContain("ended without one");
  });
});

test("the published schema is the one that holds", () => {
  const file = path.join(import.meta.dirname, "../autobuild.schema.json");
  // When this fails: node --conditions=@windsock/source apps/autobuild/src/cli.ts schema > apps/autobuild/autobuild.schema.json
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(configJsonSchema());
});
