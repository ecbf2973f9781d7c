// What an app's compiler makes of the declarations that are published, which are bundled: there,
// names can get lost that the sources have.
import { execFile } from "node:child_process";
import {
  cp,
  glob,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namesFile } from "../../src/gateway/names-file.ts";
import { routesFromFiles } from "../../src/gateway/routes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const named = join(import.meta.dirname, "named");
const tsc = join(root, "../../node_modules/.bin/tsc");
let app = "";

beforeAll(async () => {
  app = await realpath(await mkdtemp(join(tmpdir(), "windsock-app-")));
  const modules = join(app, "node_modules");
  await mkdir(join(modules, "windsock"), { recursive: true });
  await build({
    config: join(root, "tsdown.config.ts"),
    cwd: root,
    outDir: join(modules, "windsock/dist"),
    publint: false,
    logLevel: "error",
  });
  await cp(join(root, "package.json"), join(modules, "windsock/package.json"));
  for (const name of ["@standard-schema", "@types", "zod"])
    await symlink(await realpath(join(root, "node_modules", name)), join(modules, name));
  const vitest = await realpath(join(root, "../../node_modules/vitest"));
  await symlink(vitest, join(modules, "vitest"));
  await cp(named, app, { recursive: true, filter: (path) => !path.endsWith("tsconfig.json") });
  await writeFile(join(app, "package.json"), '{ "type": "module" }\n');
});

afterAll(() => rm(app, { recursive: true, force: true }));

/** Runs the compiler on files of the app, with no more than a beginner has: `strict`. */
function compile(
  files: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const config = join(app, `tsconfig.${Math.random()}.json`);
  const compilerOptions = {
    target: "esnext",
    lib: ["esnext"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noErrorTruncation: true,
    ...more,
  };
  return writeFile(config, JSON.stringify({ compilerOptions, files })).then(
    () =>
      new Promise((resolve) => {
        execFile(tsc, ["-p", config], { cwd: app }, (_error, stdout, stderr) =>
          resolve(stdout + stderr),
        );
      }),
  );
}

test("the names file of the fixture is the one that is generated", async () => {
  const files = await Array.fromAsync(glob("**/*.ts", { cwd: join(named, "websocket") }));
  expect(await readFile(join(named, "windsock.d.ts"), "utf8")).toBe(
    namesFile(routesFromFiles(files), { importPrefix: "./websocket" }),
  );
});

test("names and messages are checked in an app that has the package only", async () => {
  expect(await compile(["names.test-d.ts", "windsock.d.ts"])).toBe("");
});

test("the declarations hold without skipLibCheck", async () => {
  await writeFile(
    join(app, "all.ts"),
    'export * from "windsock";\nexport * from "windsock/testing";\n',
  );
  expect(await compile(["all.ts", "websocket/status.ts"], { skipLibCheck: false })).toBe("");
});

test("no declaration has an any", async () => {
  const dist = join(app, "node_modules/windsock/dist");
  const texts = await Array.fromAsync(glob("**/*.d.ts", { cwd: dist }), (file) =>
    readFile(join(dist, file), "utf8"),
  );
  expect(texts.join("")).toContain("declare function defineService");
  const code = texts.join("").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  expect(code.split("\n").filter((line) => /\bany\b/.test(line))).toEqual([]);
});

test("an app's own declarations are readable, and name the package alone", async () => {
  const names = ["status", "build", "room/[id]"];
  const outDir = join(app, "types");
  const output = await compile([...names.map((name) => `websocket/${name}.ts`), "windsock.d.ts"], {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: app,
    outDir,
  });
  expect(output).toBe("");
  const [status, builds, room] = await Promise.all(
    names.map((name) => readFile(join(outDir, `websocket/${name}.d.ts`), "utf8")),
  );
  expect(status).toMatchInlineSnapshot(`
    "declare const _default: import("windsock").Service<{
        incoming: import("windsock").Unchecked;
        outgoing: import("windsock").Sendable;
        broadcast: string;
        info: never;
        calls: {};
        params: {};
    }>;
    export default _default;
    "
  `);
  expect(builds).toMatchInlineSnapshot(`
    "export type BuildEvent = {
        readonly type: "started";
        readonly id: number;
    } | {
        readonly type: "done";
        readonly id: number;
        readonly ok: boolean;
    };
    declare const _default: import("windsock").Service<{
        incoming: {
            rebuild: string;
        };
        outgoing: BuildEvent;
        broadcast: BuildEvent;
        info: {
            readonly type: "finished";
            readonly ok: boolean;
        };
        calls: {
            readonly rebuild: {
                request: {
                    ref?: string | undefined;
                };
                response: {
                    id: number;
                };
            };
            readonly cancel: {
                request: undefined;
                response: undefined;
            };
        };
        params: {};
    }>;
    export default _default;
    "
  `);
  expect(room).toMatchInlineSnapshot(`
    "declare const _default: import("windsock").Service<{
        incoming: import("windsock").Unchecked;
        outgoing: {
            readonly text: string;
        };
        broadcast: {
            readonly text: string;
        };
        info: never;
        calls: {
            readonly members: {
                request: undefined;
                response: readonly string[];
            };
        };
        params: {
            readonly id: string;
        };
    }>;
    export default _default;
    "
  `);
});

describe("a mistake is told in words that name it", () => {
  const head = 'import * as w from "windsock";\n';
  const mistakes: readonly [what: string, code: string, told: string][] = [
    [
      "a misspelt callback",
      "w.defineService({ handelJoin() {} });",
      "Did you mean to write 'handleJoin'?",
    ],
    [
      "an unknown callback",
      "w.defineService({ onmessage() {} });",
      "Object literal may only specify known properties, and 'onmessage' does not exist",
    ],
    [
      "a misspelt name of a service",
      'w.broadcast("statsu", "x");',
      `Argument of type '"statsu"' is not assignable to parameter of type '"build" | "games/ping" | `,
    ],
    [
      "a misspelt call",
      'void w.call("build", "rebuidl", {});',
      `Argument of type '"rebuidl"' is not assignable to parameter of type '"cancel" | "rebuild"'.`,
    ],
    [
      "sendAfter without info",
      'w.defineService({ handleJoin(c, s, service) { service.sendAfter({ type: "tick" }, 1); } });',
      "'type' does not exist in type 'NoInfoDeclared'",
    ],
    [
      "a keyed service without its key",
      'import room from "./websocket/room/[id].ts"; w.broadcast(room, { text: "x" });',
      "required in type 'Addressed'",
    ],
    [
      "calls without handlers",
      "w.defineService({ calls: { ping: {} } });",
      "Property 'handleCall' is missing in type '{ calls: { ping: {}; }; }'",
    ],
    [
      "a missing handler of a call",
      "w.defineService({ calls: { ping: {}, pong: {} }, handleCall: { ping: () => w.reply() } });",
      "Property 'pong' is missing in type '{ ping: () => w.Reply<undefined, w.Kept>; }'",
    ],
    [
      "an annotated state without init",
      "w.defineService({ handleJoin(client, state: number) {} });",
      "Property 'init' is missing",
    ],
    [
      "a misspelt literal in a returned state",
      'w.defineService({ init: (): { phase: "idle" | "busy" } => ({ phase: "idle" }), handleJoin: (c, s) => ({ ...s, phase: "bsuy" }) });',
      `Type '"bsuy"' is not assignable to type '"busy" | "idle"'.`,
    ],
  ];
  let output = "";

  beforeAll(async () => {
    await Promise.all(
      mistakes.map(([, code], index) => writeFile(join(app, `mistake-${index}.ts`), head + code)),
    );
    output = await compile([...mistakes.keys().map((n) => `mistake-${n}.ts`), "windsock.d.ts"]);
  });

  test.each(mistakes.map(([what, code, told], index) => ({ what, code, told, index })))(
    "$what",
    ({ told, index }) => {
      const errors = output
        .split(/\n(?=\S)/)
        .filter((each) => each.startsWith(`mistake-${index}.`));
      expect(errors.join("\n")).toContain(told);
    },
  );
});
