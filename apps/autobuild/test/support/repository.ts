import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./temporary.ts";

/** A real git repository with a work tree, in a temporary folder. */
export class TestRepository {
  readonly folder = path.join(temporaryFolder(), "project");

  constructor(files: Record<string, string> = {}) {
    mkdirSync(this.folder);
    this.git("init", "--quiet", "--initial-branch=main");
    if (Object.keys(files).length > 0) this.commit("first", files);
  }

  /** Replaces all files and commits. Returns the commit's sha. */
  commit(subject: string, files: Record<string, string>): string {
    this.git("rm", "-r", "-f", "-q", "--ignore-unmatch", ".");
    writeFiles(this.folder, files);
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "-m", subject);
    return this.git("rev-parse", "HEAD").trim();
  }

  /** Commits a configuration whose steps are these shell lines. */
  commitSteps(subject: string, ...lines: string[]): string {
    return this.commit(subject, steps(...lines));
  }

  git(...args: string[]): string {
    return this.gitInput("", ...args);
  }

  /** Runs git with a text on its standard input. */
  gitInput(input: string, ...args: string[]): string {
    return execFileSync("git", args, {
      cwd: this.folder,
      input,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "ignore"],
      env: {
        PATH: process.env["PATH"],
        HOME: this.folder,
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_AUTHOR_NAME: "Ann",
        GIT_AUTHOR_EMAIL: "ann@example.org",
        GIT_COMMITTER_NAME: "Ann",
        GIT_COMMITTER_EMAIL: "ann@example.org",
      },
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** A configuration whose steps are these shell lines, called `step-1` and so on. */
export function steps(...lines: string[]): Record<string, string> {
  return {
    ".autobuild.json": JSON.stringify({
      steps: lines.map((run, index) => ({ name: `step-${index + 1}`, run })),
    }),
  };
}

export function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    if (text.startsWith("#!")) chmodSync(file, 0o755);
  }
}
