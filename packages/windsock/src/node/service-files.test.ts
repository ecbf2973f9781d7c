import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ServiceFileError } from "../errors.ts";
import { loadServices } from "./service-files.ts";

let root = "";
let folder = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "windsock-services-"));
  folder = join(root, "websocket");
  mkdirSync(folder);
});
afterEach(() => rmSync(root, { recursive: true }));

const library = fileURLToPath(new URL("../service/define-service.ts", import.meta.url));
const service = (definition = "{}") =>
  `import { defineService } from ${JSON.stringify(library)};\nexport default defineService(${definition});\n`;

function write(files: Record<string, string>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
}

async function failure(given = folder): Promise<ServiceFileError> {
  const outcome: unknown = await loadServices(given).catch((error: unknown) => error);
  if (outcome instanceof ServiceFileError) return outcome;
  throw new Error("expected a ServiceFileError", { cause: outcome });
}

test("each file's service is loaded with its route, at any depth, in the order of their names", async () => {
  write({
    "status.ts": service(),
    "room/[id].ts": service('{ params: ["id"] }'),
    "a/[x]/[y].mjs": service('{ params: ["x", "y"] }'),
    "_helper.ts": "throw new Error('not to be loaded')",
    "_lib/x.ts": "throw new Error('not to be loaded')",
    ".hidden/x.ts": "throw new Error('not to be loaded')",
    "status.test.ts": "throw new Error('not to be loaded')",
    "types.d.ts": "throw new Error('not to be loaded')",
    "README.md": "#",
  });
  const loaded = await loadServices(folder, { base: "/app" });
  expect(loaded.map(({ route, service }) => [route.file, route.path, service.kind])).toEqual([
    ["a/[x]/[y].mjs", "/app/websocket/a/:x/:y", "service"],
    ["room/[id].ts", "/app/websocket/room/:id", "service"],
    ["status.ts", "/app/websocket/status", "service"],
  ]);
});

test("an empty folder has no services", async () => {
  expect(await loadServices(folder)).toEqual([]);
});

test("another loader may import", async () => {
  write({ "status.ts": "not even JavaScript" });
  const { default: loaded } = (await import(/* @vite-ignore */ writeElsewhere())) as {
    default: unknown;
  };
  const [first] = await loadServices(folder, {
    importFile: () => Promise.resolve({ default: loaded }),
  });
  expect(first?.service).toBe(loaded);
});

function writeElsewhere(): string {
  writeFileSync(join(root, "other.ts"), service());
  return join(root, "other.ts");
}

describe("without the folder", () => {
  test("the first service is shown", async () => {
    const { message } = await failure(join(root, "nowhere"));
    expect(message).toContain(`in the folder ${join(root, "nowhere")}, got no such folder`);
    expect(message).toContain('import { defineService } from "windsock";');
  });

  test("but a file of its name, that is told", async () => {
    writeFileSync(join(root, "file"), "");
    expect((await failure(join(root, "file"))).message).toContain("got a file");
  });
});

describe("a file that holds no service", () => {
  test.each([
    ["", "got none"],
    ["export const x = 1;", "got none"],
    ["export default undefined;", "got none"],
    ["export default null;", "got null"],
    ["export default { handleJoin() {} };", "got an object with the keys handleJoin"],
    ["export default class {}", "got a function"],
    ["export default 'service';", 'got "service" (string)'],
  ])("%j is told the lines to write", async (text, came) => {
    write({ "status.ts": text });
    const { message, code, cause } = await failure();
    expect(code).toBe("WINDSOCK_SERVICE_FILE");
    expect(message).toContain(
      `- status.ts: expected a default export made with \`defineService\`, ${came}.`,
    );
    expect(message).toContain(
      '    import { defineService } from "windsock";\n    export default defineService({ /* callbacks */ });\n',
    );
    expect(cause).toBeUndefined();
  });

  test("under a keyed name is told the keys too", async () => {
    write({ "room/[id].ts": "" });
    expect((await failure()).message).toContain(
      'defineService({ params: ["id"], /* callbacks */ });',
    );
  });
});

describe("a file that throws when it is imported", () => {
  test("is told with its error and the place", async () => {
    write({ "status.ts": "\nthrow new TypeError('boom');\n" });
    const { message, cause } = await failure();
    expect(message).toMatch(
      /- status\.ts: expected a module that loads, got TypeError: boom\n\s+at .*status\.ts:2:/,
    );
    expect(cause).toBeInstanceOf(TypeError);
  });

  test("by way of our own code is told with the place in the file", async () => {
    write({ "status.ts": service("{ handleJion() {} }") });
    expect((await failure()).message).toMatch(/got `handleJion`\..*\n\s+at .*status\.ts:2:/);
  });

  test("something that is no error is told with what it is", async () => {
    write({ "status.ts": "throw 'boom';\n" });
    expect((await failure()).message).toContain('got "boom" (string) thrown');
  });

  // In a process of its own: the test runner reads TypeScript in another way than Node.
  test("for its syntax is told with the line", async () => {
    write({ "status.ts": "\nenum Colour { red }\n" });
    const module = new URL("./service-files.ts", import.meta.url).href;
    const script = `import { loadServices } from ${JSON.stringify(module)};
      await loadServices(${JSON.stringify(folder)}).catch((error) => console.log(error.message));`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--input-type=module",
      "-e",
      script,
    ]);
    expect(stdout).toContain("enum is not supported in strip-only mode");
    expect(stdout).toContain(`    at ${join(folder, "status.ts")}:2\n`);
  });
});

describe("keys", () => {
  test.each([
    ["room/[id].ts", "{}", '`params: ["id"]`', "`params: []`"],
    ["room/[id].ts", '{ params: ["name"] }', '`params: ["id"]`', '`params: ["name"]`'],
    ["a/[x]/[y].ts", '{ params: ["y", "x"] }', '`params: ["x","y"]`', '`params: ["y","x"]`'],
    ["status.ts", '{ params: ["id"] }', "`params: []`", '`params: ["id"]`'],
  ])("of %s with %s are told from its name", async (file, definition, expected, came) => {
    write({ [file]: service(definition) });
    expect((await failure()).message).toContain(
      `- ${file}: expected ${expected}, the keys in the file's name, got ${came}.`,
    );
  });
});

test("two files with one service are refused", async () => {
  write({ "a.ts": service(), "b.ts": 'export { default } from "./a.ts";' });
  expect((await failure()).message).toContain("a.ts and b.ts export the same service");
});

describe("a link", () => {
  test("to a file within the folder is followed", async () => {
    write({ "_shared.ts": service() });
    symlinkSync(join(folder, "_shared.ts"), join(folder, "status.ts"));
    expect((await loadServices(folder)).map(({ route }) => route.name)).toEqual(["status"]);
  });

  test("out of the folder, to a folder or to nowhere is not", async () => {
    writeElsewhere();
    mkdirSync(join(folder, "sub"));
    symlinkSync(join(root, "other.ts"), join(folder, "out.ts"));
    symlinkSync(join(folder, "sub"), join(folder, "loop"));
    symlinkSync(root, join(folder, "up"));
    symlinkSync(join(root, "nobody.ts"), join(folder, "broken.ts"));
    const { message } = await failure();
    expect(message).toContain("4 problems");
    expect(message).toMatch(/- out\.ts: .* leads out of it/);
    expect(message).toMatch(/- loop: .* leads to a folder/);
    expect(message).toMatch(/- up: .* leads to a folder/);
    expect(message).toMatch(/- broken\.ts: .* leads nowhere/);
  });

  test("that would be no service does not matter, and the folder may be one itself", async () => {
    write({ "status.ts": service() });
    symlinkSync(join(root, "nobody"), join(folder, "README.md"));
    symlinkSync(root, join(folder, "_up"));
    symlinkSync(folder, join(root, "linked"));
    expect(await loadServices(join(root, "linked"))).toHaveLength(1);
  });
});

test("all problems of all files are told together", async () => {
  write({
    "a.ts": "throw new Error('first');",
    "b.ts": "throw new Error('second');",
    "c.ts": "",
    "odd name.ts": service(),
    "d.ts": service(),
    "d.js": service(),
    "fine.ts": service(),
  });
  const { message, cause } = await failure();
  expect(message).toContain(`5 problems in ${folder}:`);
  for (const part of ["a.ts: ", "b.ts: ", "c.ts: ", "odd name.ts: ", "d.js and d.ts both answer"]) {
    expect(message).toContain(`- ${part}`);
  }
  expect(cause).toBeInstanceOf(AggregateError);
  expect((cause as AggregateError).errors).toHaveLength(2);
});
