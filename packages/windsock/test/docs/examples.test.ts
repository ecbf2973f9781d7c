// The examples of README and guide as they stand there: type-checked, started and used.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServer, type Report, type Server } from "../../src/index.ts";
import { PlainClient, type PlainClientOptions } from "../../src/testing/index.ts";
import { exercises } from "./exercises.ts";
import { examplesOf, pages, root } from "./pages.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const examples = pages
  .filter((page) => page === "README.md" || page.startsWith("docs/guide/"))
  .flatMap(examplesOf);
const withServices = [
  ...new Set(examples.filter(({ file }) => isService(file)).map(({ page }) => page)),
];

let folder: string;

function isService(file: string): boolean {
  return file.startsWith("src/websocket/");
}

/** Each page is a project of its own: its examples may import each other. */
function projectOf(page: string): string {
  return join(folder, page.replace(/\.md$/, "").replaceAll("/", "-"));
}

beforeAll(() => {
  // Within the package, so that `windsock` and what it is tested with are found.
  folder = mkdtempSync(join(here, ".examples-"));
  for (const { page, file, line, source } of examples) {
    const path = join(projectOf(page), file);
    if (existsSync(path)) throw new Error(`${page}:${line}: ${file} stands there twice.`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, source);
  }
  const config = {
    extends: relative(folder, join(root, "tsconfig.base.json")),
    compilerOptions: { incremental: false, rootDir: root },
    include: ["./*/**/*.ts"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every example is correct TypeScript", () => {
  const { stdout, status } = run("tsc", "-p", folder);
  expect(stdout).toBe("");
  expect(status).toBe(0);
});

test("every service is used by an exercise, and every exercise has its service", () => {
  const services = examples
    .filter(({ file }) => isService(file))
    .map(({ page, file }) => `${page} ${file}`);
  expect(Object.keys(exercises).toSorted()).toEqual(services.toSorted());
});

test.each(withServices)("the services of %s do what the page says", async (page) => {
  const stage = await Stage.open(projectOf(page));
  try {
    expect(stage.server.services().map(({ state }) => state)).not.toContain("down");
    for (const { file } of examples.filter((one) => one.page === page && isService(one.file))) {
      await exercises[`${page} ${file}`]?.(stage);
      stage.reports.splice(0);
    }
  } finally {
    await stage.server.stop();
  }
});

test("the tests of the testing page pass", () => {
  const project = projectOf("docs/guide/testing.md");
  const config = `
    import { defaultServerConditions } from "vite";
    const conditions = ["@windsock/source", ...defaultServerConditions];
    export default { resolve: { conditions }, ssr: { resolve: { conditions } } };`;
  writeFileSync(join(project, "vitest.config.ts"), config);
  const { stdout, stderr, status } = run("vitest", "run", "--root", project);
  expect({ status, output: status === 0 ? "" : stdout + stderr }).toEqual({
    status: 0,
    output: "",
  });
});

/** What an exercise works with. */
export class Stage {
  readonly reports: Report[] = [];
  readonly #project: string;
  #server: Server | undefined;

  private constructor(project: string) {
    this.#project = project;
  }

  static async open(project: string): Promise<Stage> {
    const stage = new Stage(project);
    await stage.#start(0);
    return stage;
  }

  get server(): Server {
    if (this.#server === undefined) throw new Error("Expected a server that was started.");
    return this.#server;
  }

  /** Stops the server, and starts another with the same port and history. */
  async restart(): Promise<void> {
    const { port } = this.server;
    await this.server.stop();
    await this.#start(port);
  }

  readonly open = (path: string, options: PlainClientOptions = {}): Promise<PlainClient> =>
    PlainClient.open(`${this.server.url}/websocket/${path}`, options);

  /** A file of the page that is no service. */
  import(file: string): Promise<unknown> {
    return import(join(this.#project, file));
  }

  async #start(port: number): Promise<void> {
    this.#server = await createServer({
      port,
      services: join(this.#project, "src/websocket"),
      historyFile: join(this.#project, "history.sqlite"),
      onReport: (report) => this.reports.push(report),
    });
  }
}

function run(command: string, ...args: string[]) {
  return spawnSync(join(root, "node_modules/.bin", command), args, {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
}
