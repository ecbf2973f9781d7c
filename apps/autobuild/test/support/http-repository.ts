import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { onTestFinished } from "vitest";
import { TestRepository } from "./repository.ts";
import { temporaryFolder } from "./temporary.ts";

/** A real repository behind a URL, as a forge has it: a bare one, served by git's own `http-backend`. */
export class HttpRepository {
  /** Where people work, who then push. */
  readonly work: TestRepository;
  readonly url: string;
  readonly folder: string;

  private constructor(work: TestRepository, folder: string, url: string) {
    this.work = work;
    this.folder = folder;
    this.url = url;
  }

  static async serve(files: Record<string, string>): Promise<HttpRepository> {
    const work = new TestRepository(files);
    const root = temporaryFolder();
    const folder = path.join(root, "ann/project.git");
    work.git("clone", "--quiet", "--bare", work.folder, folder);
    work.git("remote", "add", "origin", folder);
    const server = createServer((request, response) => backend(root, request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(
      () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    const { port } = server.address() as AddressInfo;
    return new HttpRepository(work, folder, `http://127.0.0.1:${port}/ann/project.git`);
  }

  /** Commits and pushes. Returns the commit. */
  push(subject: string, files: Record<string, string>, ref = "main"): string {
    const sha = this.work.commit(subject, files);
    this.work.git("push", "--quiet", "--force", "origin", `HEAD:${ref}`);
    return sha;
  }
}

function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "http://x");
  const child = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: request.headers["git-protocol"]?.toString(),
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"],
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"],
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.on("error", () => {});
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  let isBody = false;
  child.stdout.on("data", (bytes: Buffer) => {
    if (isBody) return void response.write(bytes);
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf("\r\n\r\n");
    if (end === -1) return;
    isBody = true;
    for (const line of head.subarray(0, end).toString().split("\r\n")) {
      const [name = "", value = ""] = line.split(/: (.*)/s);
      if (name === "Status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.write(head.subarray(end + 4));
  });
  child.stdout.on("end", () => response.end());
}
