import { onTestFinished } from "vitest";
import type { AutobuildOptions } from "../../src/autobuild-options.ts";
import { createAutobuild, type Autobuild } from "../../src/autobuild.ts";
import type { Build } from "../../src/build/build.ts";
import { hasEnded } from "../../src/build/build.ts";
import { temporaryFolder } from "./temporary.ts";
import { giveUpAfterMs } from "./until.ts";

/** An AutoBuild in a temporary data folder, stopped when the test has finished. */
export class TestServer {
  readonly autobuild: Autobuild;
  /** Every state that each build was seen in. */
  readonly seen: string[] = [];
  readonly problems: string[] = [];

  constructor(options: Partial<AutobuildOptions> & Pick<AutobuildOptions, "repositories">) {
    this.autobuild = createAutobuild({
      dataDir: temporaryFolder(),
      localPollMs: 200,
      watchedPollMs: options.localPollMs ?? 200,
      stopBuilds: true,
      ...options,
    });
    this.autobuild.on("buildChanged", (build) => {
      const line = `${build.id} ${build.state}`;
      if (this.seen.at(-1) !== line) this.seen.push(line);
    });
    this.autobuild.on("problem", ({ message }) => this.problems.push(message));
    onTestFinished(() => this.autobuild.stop());
  }

  static async start(
    options: Partial<AutobuildOptions> & Pick<AutobuildOptions, "repositories">,
  ): Promise<TestServer> {
    const server = new TestServer(options);
    await server.autobuild.start();
    return server;
  }

  /** Resolves as soon as the condition holds; it is looked at after each event. */
  until<Value>(what: string, find: () => Value | undefined | false): Promise<Value> {
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    const look = (): void => {
      try {
        const value = find();
        if (value !== undefined && value !== false) resolve(value);
      } catch (error) {
        reject(error);
      }
    };
    const names = ["buildChanged", "repositoryChanged", "logAdvanced", "problem"] as const;
    const ends = names.map((name) => this.autobuild.on(name, look));
    const timer = setTimeout(() => {
      const builds = this.autobuild.builds
        .list()
        .map(({ id, state, reason }) => `${id} ${state} ${reason ?? ""}`);
      const repositories = JSON.stringify(this.autobuild.builds.repositories());
      reject(
        new Error(
          `Waited in vain until ${what}. Builds: ${builds.join("; ")}. ${repositories} ${this.problems.join("; ")}`,
        ),
      );
    }, giveUpAfterMs);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      for (const end of ends) end();
    });
  }

  /** A build, once it has ended. */
  ended(id: number): Promise<Build> {
    return this.until(`build ${id} has ended`, () => {
      const build = this.autobuild.builds.get(id);
      return build !== undefined && hasEnded(build) && build;
    });
  }

  /** A running build, once its log holds a line. */
  async printed(id: number, line: string): Promise<void> {
    const { builds } = this.autobuild;
    let text = "";
    for (;;) {
      const before = text.length;
      text = await this.logOf(id);
      if (text.includes(`${line}\n`)) return;
      const length = Buffer.byteLength(text);
      if (before === text.length)
        await this.until(
          `build ${id} prints ${line}`,
          () => (builds.log(id)?.length ?? 0) > length,
        );
    }
  }

  async logOf(id: number): Promise<string> {
    return (await this.autobuild.builds.log(id)?.read(0, 1 << 30))?.text ?? "";
  }

  async consoleText(): Promise<string> {
    return (await this.autobuild.console.read(0, 1 << 30)).text;
  }
}
