// What an app's compiler makes of the declarations that are published, which are bundled: there,
// names can get lost that the sources have.
import { glob, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namesFile } from "../../src/gateway/names-file.ts";
import { routesFromFiles } from "../../src/gateway/routes.ts";
import { PublishedApp } from "./published-app.ts";

const named = join(import.meta.dirname, "named");
let app: PublishedApp;

beforeAll(async () => {
  app = await PublishedApp.create(named);
});

afterAll(() => app.remove());

test("the names file of the fixture is the one that is generated", async () => {
  const files = await Array.fromAsync(glob("**/*.ts", { cwd: join(named, "websocket") }));
  expect(await readFile(join(named, "windsock.d.ts"), "utf8")).toBe(
    namesFile(routesFromFiles(files), { importPrefix: "./websocket" }),
  );
});

test("names and messages are checked in an app that has the package only", async () => {
  expect(await app.compile(["names.test-d.ts", "windsock.d.ts"])).toBe("");
});

test("the declarations hold without skipLibCheck", async () => {
  await writeFile(
    join(app.folder, "all.ts"),
    'export * from "windsock";\nexport * from "windsock/testing";\n',
  );
  expect(await app.compile(["all.ts", "websocket/status.ts"], { skipLibCheck: false })).toBe("");
});

test("no declaration has an any", async () => {
  const dist = join(app.folder, "node_modules/windsock/dist");
  const texts = await Array.fromAsync(glob("**/*.d.ts", { cwd: dist }), (file) =>
    readFile(join(dist, file), "utf8"),
  );
  expect(texts.join("")).toContain("declare function defineService");
  const code = texts.join("").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  expect(code.split("\n").filter((line) => /\bany\b/.test(line))).toEqual([]);
});

test("an app's own declarations are readable, and name the package alone", async () => {
  const names = ["status", "build", "room/[id]"];
  const outDir = join(app.folder, "types");
  const output = await app.compile(
    [...names.map((name) => `websocket/${name}.ts`), "windsock.d.ts"],
    {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rootDir: app.folder,
      outDir,
    },
  );
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
        presence: import("windsock").PresenceEntry;
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
        presence: import("windsock").PresenceEntry;
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
        presence: import("windsock").PresenceEntry;
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
    [
      "a service that names itself in what a handler returns",
      'import self from "./mistake-10.ts"; export default w.defineService({ handleIncoming: () => w.broadcast(self, 1) });',
      "'handleIncoming' implicitly has return type 'any' because it does not have a return type annotation and is referenced directly or indirectly in one of its return expressions.",
    ],
  ];
  let output = "";

  beforeAll(async () => {
    await Promise.all(
      mistakes.map(([, code], index) =>
        writeFile(join(app.folder, `mistake-${index}.ts`), head + code),
      ),
    );
    output = await app.compile([...mistakes.keys().map((n) => `mistake-${n}.ts`), "windsock.d.ts"]);
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
