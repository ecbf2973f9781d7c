import { createHmac, randomUUID } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import type { AutobuildOptions } from "../src/autobuild-options.ts";
import { addressOf, webhookDefaults, Webhooks } from "../src/triggers/webhooks.ts";
import { HttpRepository } from "./support/http-repository.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";

const secret = "a secret of the team";

/** A delivery as a forge sends it; what a test says wins. */
interface Sent {
  readonly forge?: string;
  readonly headers?: Record<string, string>;
  readonly payload?: unknown;
  readonly body?: string | ReadableStream;
  readonly secret?: string;
  readonly id?: string;
}

function delivery(sent: Sent): Request {
  const { forge = "github", payload, id = randomUUID() } = sent;
  const body = sent.body ?? JSON.stringify(payload);
  const signature = createHmac("sha256", sent.secret ?? secret)
    .update(typeof body === "string" ? body : "")
    .digest("hex");
  const own: Record<string, Record<string, string>> = {
    github: {
      "X-GitHub-Event": "push",
      "X-GitHub-Delivery": id,
      "X-Hub-Signature-256": `sha256=${signature}`,
    },
    gitea: { "X-Gitea-Event": "push", "X-Gitea-Delivery": id, "X-Gitea-Signature": signature },
    forgejo: {
      "X-Forgejo-Event": "push",
      "X-Forgejo-Delivery": id,
      "X-Forgejo-Signature": signature,
    },
    gitlab: { "X-Gitlab-Token": sent.secret ?? secret, "Idempotency-Key": id },
  };
  return new Request(`http://127.0.0.1/hooks/${forge}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...own[forge], ...sent.headers },
    body,
    duplex: "half",
  } as RequestInit);
}

async function serve(
  files: Record<string, string> = steps("true"),
  hookSecret = secret,
  more: Partial<AutobuildOptions> = {},
) {
  const repository = await HttpRepository.serve(files);
  const server = await TestServer.start({
    repositories: [repository.url],
    hookSecret,
    // What comes before that is brought by a webhook.
    remotePollMs: 3_600_000,
    ...more,
  });
  await server.ended(1);
  const send = async (sent: Sent): Promise<{ status: number; text: string }> => {
    const answer = await server.autobuild.webhooks.handle(delivery(sent), sent.forge ?? "github");
    return { status: answer.status, text: await answer.text() };
  };
  return { repository, server, send, builds: server.autobuild.builds };
}

const pushed = (url: string, more: object = {}) => ({
  repository: { clone_url: url, html_url: url.replace(/\.git$/, "") },
  ...more,
});

describe("a webhook", () => {
  test("of each forge has what was pushed built at once, and nothing twice", async () => {
    const { repository, server, send, builds } = await serve();
    const payloads: [string, unknown][] = [
      ["github", pushed(repository.url, { after: "1" })],
      ["gitea", pushed(repository.url, { after: "2" })],
      ["forgejo", pushed(repository.url, { after: "3" })],
      ["gitlab", { object_kind: "push", project: { git_http_url: repository.url }, after: "4" }],
    ];
    for (const [index, [forge, payload]] of payloads.entries()) {
      const sha = repository.push(forge, steps("true", `echo ${forge}`));
      const answers = await Promise.all([
        send({ forge, payload }),
        send({ forge, payload: { ...(payload as object), another: "announcement" } }),
      ]);
      expect(answers).toEqual([
        { status: 202, text: "looks at the repository\n" },
        { status: 202, text: "looks at the repository\n" },
      ]);
      expect(await server.ended(index + 2)).toMatchObject({ sha, state: "passed" });
    }
    expect(builds.list()).toHaveLength(5);
  });

  test("that is forged, replayed or unreadable is refused", async () => {
    const { repository, send, builds } = await serve();
    const payload = pushed(repository.url);
    for (const forge of ["github", "gitea", "forgejo", "gitlab"]) {
      expect((await send({ forge, payload, secret: "another" })).status).toBe(401);
      expect((await send({ forge, payload, secret: "" })).status).toBe(401);
    }
    const unsigned = { "X-Hub-Signature-256": "sha256=" };
    expect((await send({ payload, headers: unsigned })).status).toBe(401);
    // The signature of another forge's kind does not count.
    expect(
      (await send({ forge: "gitlab", payload, headers: { "X-Gitlab-Token": "" } })).status,
    ).toBe(401);

    expect((await send({ payload, id: "one" })).status).toBe(202);
    expect(await send({ payload, id: "one" })).toMatchObject({
      status: 409,
      text: expect.stringContaining("came before"),
    });
    // The name stands in a header that is not signed; the body is.
    expect((await send({ payload, id: "two" })).status).toBe(409);
    expect((await send({ payload: pushed(repository.url, { x: 1 }), id: "one" })).status).toBe(409);

    expect((await send({ body: "{" })).status).toBe(400);
    // It was a list of all faults, as JSON of many lines.
    expect(await send({ payload: { repository: 7 } })).toMatchObject({
      status: 400,
      text: expect.stringMatching(
        /^Expected a delivery as github sends them: there is a fault at repository: .*\n?$/,
      ),
    });
    expect((await send({ payload: null })).status).toBe(400);
    expect(builds.list()).toHaveLength(1);
  });

  test("of an unknown repository or forge, by another method, or too large, is answered", async () => {
    const { repository, server, send } = await serve();
    expect(await send({ payload: pushed("https://evil.example/x\u202e.git") })).toEqual({
      status: 404,
      text: 'Expected a repository that AutoBuild builds, got "https://evil.example/x\\u202e.git" (string). Start AutoBuild with it.\n',
    });
    expect(await send({ forge: "sourcehut", payload: {} })).toMatchObject({ status: 404 });
    const get = new Request("http://127.0.0.1/hooks/github");
    expect((await server.autobuild.webhooks.handle(get, "github")).status).toBe(405);
    const large = `{"x":"${"x".repeat(5 * 1024 * 1024)}"}`;
    expect((await send({ body: large })).status).toBe(413);
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    });
    expect((await send({ body: endless })).status).toBe(413);
    expect(await send({ payload: { zen: "x" }, headers: { "X-GitHub-Event": "ping" } })).toEqual({
      status: 202,
      text: 'Nothing is to be done about "ping" (string).\n',
    });
    const form = `payload=${encodeURIComponent(JSON.stringify(pushed(repository.url)))}`;
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    expect((await send({ body: form, headers })).status).toBe(202);
  });

  test("is refused while AutoBuild has no secret", async () => {
    const { repository, send } = await serve(undefined, "");
    expect(await send({ payload: pushed(repository.url), secret: "" })).toMatchObject({
      status: 503,
      text: expect.stringContaining("AUTOBUILD_HOOK_SECRET"),
    });
  });

  test("beyond eight at once is told to come again", async () => {
    const { send } = await serve();
    const waiting = Array.from({ length: 8 }, () => {
      const { readable, writable } = new TransformStream();
      return { writable, answer: send({ body: readable }) };
    });
    expect((await send({ payload: {} })).status).toBe(503);
    for (const { writable, answer } of waiting) {
      await writable.close();
      expect((await answer).status).toBe(400);
    }
    expect((await send({ payload: pushed("https://x.example/y") })).status).toBe(404);
  });
});

test("a delivery that does not end is given up", async () => {
  const webhooks = new Webhooks([], secret, { ...webhookDefaults, receiveTimeoutMs: 20 });
  const { readable } = new TransformStream();
  const answer = await webhooks.handle(delivery({ body: readable }), "github");
  expect(answer.status).toBe(408);
});

describe("a pull request", () => {
  const request = (url: string, number: number, headId: number) =>
    pushed(url, {
      action: "synchronize",
      number,
      pull_request: { number, head: { repo: { id: headId } }, base: { repo: { id: 1 } } },
    });
  const headers = { "X-GitHub-Event": "pull_request" };
  const config = (buildForks: boolean, run: string) => ({
    ".autobuild.json": JSON.stringify({
      buildForks,
      steps: [{ name: "test", run, secrets: ["TOKEN"], when: { event: ["push", "pullRequest"] } }],
    }),
  });

  test("of a fork is built where the default branch says so, without what others get", async () => {
    process.env["TEAM_TOKEN"] = "hunter2";
    onTestFinished(() => void delete process.env["TEAM_TOKEN"]);
    const run = 'echo "of the team: $TEAM_TOKEN."';
    const { repository, server, send, builds } = await serve(config(true, run), secret, {
      passEnv: ["TEAM_TOKEN"],
    });
    expect(await server.logOf(1)).toContain("of the team: hunter2.");
    const sha = repository.push("theirs", config(false, run), "refs/pull/7/head");
    expect(await send({ payload: request(repository.url, 7, 2), headers })).toEqual({
      status: 202,
      text: "fetches the pull request and builds it without secrets\n",
    });
    expect(await server.ended(2)).toMatchObject({ sha, branch: "pull request 7", state: "passed" });
    // Announced once more, by another delivery.
    const again = { ...request(repository.url, 7, 2), again: true };
    expect((await send({ payload: again, headers })).status).toBe(202);
    expect(builds.rebuild(2)).toMatchObject({ id: 3 });
    expect(await server.ended(3)).toMatchObject({ state: "passed" });
    for (const id of [2, 3]) expect(await server.logOf(id)).toContain("of the team: .");
    expect(builds.list()).toHaveLength(3);
  });

  test("of a fork is not built otherwise, whatever the fork says", async () => {
    const { repository, send, builds } = await serve(config(false, "true"));
    repository.push("theirs", config(true, "true"), "refs/pull/7/head");
    expect((await send({ payload: request(repository.url, 7, 2), headers })).text).toContain(
      "ignored: pull requests of forks",
    );
    expect(builds.list()).toHaveLength(1);
  });

  test("of the repository itself is on a branch", async () => {
    const { repository, server, send } = await serve(config(false, "true"));
    const sha = repository.push("ours", config(false, "true"), "topic");
    expect((await send({ payload: request(repository.url, 8, 1), headers })).status).toBe(202);
    expect(await server.ended(2)).toMatchObject({ sha, branch: "topic" });
  });
});

describe("a hook on this machine", () => {
  test("has its repository looked at, and no other", async () => {
    const repository = new TestRepository(steps("true"));
    const server = await TestServer.start({
      repositories: [repository.folder],
      localPollMs: 3_600_000,
    });
    await server.ended(1);
    const send = async (payload: unknown) =>
      (await server.autobuild.webhooks.handle(delivery({ forge: "local", payload }), "local"))
        .status;
    expect(await send({ repository: repository.folder })).toBe(202);
    expect(await send({ repository: `${repository.folder}/.git` })).toBe(202);
    expect(await send({ repository: "/etc" })).toBe(404);
    expect(await send({})).toBe(404);
    expect(await send([])).toBe(404);
    expect(await send(null)).toBe(404);
  });
});

test("a repository is the same however its address is written", () => {
  const same = [
    "https://git.example/ann/project.git",
    "https://ann:secret@Git.Example:8443/Ann/Project",
    "git@git.example:ann/project.git",
    "ssh://git@git.example:22/ann/project.git/",
    "http://git.example/ann/project",
  ];
  for (const each of same) expect(addressOf(each)).toBe("git.example/ann/project");
  expect(addressOf("/home/ann/project")).toBeUndefined();
  expect(addressOf("file:///home/ann/project")).toBeUndefined();
  expect(addressOf("git.example/ann/project")).toBeUndefined();
});
