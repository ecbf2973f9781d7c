import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";

const root = fileURLToPath(new URL("../..", import.meta.url));
const workspace = join(root, "../..");

/** An app in a folder of its own, with the package as it is published. */
export class PublishedApp {
  readonly folder: string;
  #programs = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Builds the package, and copies what the app consists of, if that is given. */
  static async create(files?: string): Promise<PublishedApp> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "windsock-app-")));
    const modules = join(folder, "node_modules");
    await mkdir(join(modules, "windsock"), { recursive: true });
    await build({
      config: join(root, "tsdown.config.ts"),
      cwd: root,
      outDir: join(modules, "windsock/dist"),
      publint: false,
      logLevel: "error",
    });
    await cp(join(root, "package.json"), join(modules, "windsock/package.json"));
    for (const [from, name] of [
      [root, "@standard-schema"],
      [root, "@types"],
      [root, "zod"],
      [workspace, "vitest"],
    ] as const)
      await symlink(await realpath(join(from, "node_modules", name)), join(modules, name));
    await writeFile(join(folder, "package.json"), '{ "type": "module" }\n');
    if (files !== undefined) {
      const filter = (path: string): boolean => !path.endsWith("tsconfig.json");
      await cp(files, folder, { recursive: true, filter });
    }
    return new PublishedApp(folder);
  }

  /** Runs the compiler on files of the app, with no more than a beginner has: `strict`. Gives what it prints. */
  async compile(
    files: readonly string[],
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    this.#programs += 1;
    const config = join(this.folder, `tsconfig.${this.#programs}.json`);
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
      ...options,
    };
    await writeFile(config, JSON.stringify({ compilerOptions, files }));
    return new Promise((resolve) => {
      const tsc = join(workspace, "node_modules/.bin/tsc");
      execFile(tsc, ["-p", config], { cwd: this.folder }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
