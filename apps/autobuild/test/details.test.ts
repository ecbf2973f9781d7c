import { createHmac } from "node:crypto";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { commitUrl } from "../src/git/commit-url.ts";
import { originWith } from "../src/git/origin-remote.ts";
import { toolsOf } from "../src/run/machine.ts";
import { Gate } from "./support/gate.ts";
import { HttpRepository } from "./support/http-repository.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { until } from "./support/until.ts";

const sha = "0123456789abcdef0123456789abcdef01234567";

describe("the address of a commit at its forge", () => {
  test.each([
    ["https://github.com/Ann/Shop.git", `https://github.com/Ann/Shop/commit/${sha}`],
    ["github.com:Ann/Shop.git", `https://github.com/Ann/Shop/commit/${sha}`],
    ["ssh://git@github.com:22/ann/shop", `https://github.com/ann/shop/commit/${sha}`],
    ["https://gitlab.com/a/b/c.git", `https://gitlab.com/a/b/c/-/commit/${sha}`],
    ["https://gitlab.example.org:8443/a/b", `https://gitlab.example.org:8443/a/b/-/commit/${sha}`],
    ["https://codeberg.org/ann/shop/", `https://codeberg.org/ann/shop/commit/${sha}`],
    ["https://bitbucket.org/ann/shop.git", `https://bitbucket.org/ann/shop/commits/${sha}`],
    ["https://git.sr.ht/~ann/shop", `https://git.sr.ht/~ann/shop/commit/${sha}`],
    ["https://example.org/ann/shop.git", null],
    ["https://github.com/", null],
    ["/home/ann/shop", null],
    ["/home/ann/github.com:x", null],
  ])("of %s is %s", (label, url) => {
    expect(commitUrl(label, sha)).toBe(url);
  });

  test("is known of another host when its forge told of the commit", () => {
    expect(commitUrl("https://git.example.org/a/b", sha, "gitea")).toBe(
      `https://git.example.org/a/b/commit/${sha}`,
    );
    expect(commitUrl("/srv/a", sha, "gitea")).toBe(null);
  });
});

// A repository that somebody cloned from a forge had no link to it.
describe("the commit of a repository on this machine", () => {
  test("is at the forge of its origin, once it is known to be there", async () => {
    const repository = new TestRepository(steps("true"));
    const first = repository.git("rev-parse", "HEAD").trim();
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.ended(1);
    const linkOf = async (id: number) =>
      (await server.autobuild.detailsOf(server.autobuild.builds.get(id)!)).commitUrl;
    expect(await linkOf(1)).toBe(null);
    repository.git("remote", "add", "origin", "https://ann:secret@github.com/ann/shop.git");
    // Nobody has pushed it yet.
    expect(await linkOf(1)).toBe(null);
    repository.git("update-ref", "refs/remotes/origin/main", first);
    expect(await linkOf(1)).toBe(`https://github.com/ann/shop/commit/${first}`);
    repository.git("remote", "set-url", "origin", "../elsewhere");
    expect(await linkOf(1)).toBe(null);
    repository.git("remote", "set-url", "origin", "ext::sh -c id");
    expect(await linkOf(1)).toBe(null);
  }, 60_000);

  test("is at the forge of the origin that a bare copy was made of", async () => {
    const source = new TestRepository({ a: "1" });
    const sha = source.git("rev-parse", "HEAD").trim();
    const bare = path.join(temporaryFolder(), "copy.git");
    source.git("clone", "--quiet", "--mirror", ".", bare);
    source.git("--git-dir", bare, "remote", "set-url", "origin", "git@gitlab.com:ann/shop.git");
    expect(commitUrl((await originWith(bare, sha)) ?? "", sha)).toBe(
      `https://gitlab.com/ann/shop/-/commit/${sha}`,
    );
  });
});

describe("the tools of a build", () => {
  test("are those that its steps name and what these run on, each once, and not those of an image", () => {
    const step = (line: string, image: string | null = null) =>
      ({ argv: ["sh", "-c", line], image }) as const;
    expect(toolsOf([step("npm ci && /usr/bin/make x"), step("npm test; gopher")])).toEqual([
      "git",
      "npm",
      "node",
      "make",
    ]);
    expect(toolsOf([step("cargo test", "rust:1")])).toEqual(["git"]);
  });
});

describe("what led to a build", () => {
  test("is kept: a look, a forge's delivery, a person, and the build that it repeats", async () => {
    const secret = "of the team";
    const repository = await HttpRepository.serve(steps("true"));
    const { autobuild, ...server } = await TestServer.start({
      repositories: [repository.url],
      hookSecret: secret,
      remotePollMs: 3_600_000,
    }).then((one) => ({ autobuild: one.autobuild, ended: one.ended.bind(one) }));
    await server.ended(1);
    const second = repository.push("Second\n\nWhy it is so.\n\n- \u001b[31mone\n", steps("true"));
    const body = JSON.stringify({ repository: { clone_url: repository.url } });
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    const answer = await autobuild.webhooks.handle(
      new Request("http://127.0.0.1/hooks/gitea", {
        method: "POST",
        headers: {
          "X-Gitea-Event": "push",
          "X-Gitea-Delivery": "d-1",
          "X-Gitea-Signature": signature,
        },
        body,
      }),
      "gitea",
    );
    expect(answer.status).toBe(202);
    await server.ended(2);
    autobuild.builds.rebuild(2, "Ann");
    await server.ended(3);
    await autobuild.builds.build(1, {}, "Bob");
    await server.ended(4);
    const detailsOf = async (id: number) => autobuild.detailsOf(autobuild.builds.get(id)!);
    expect(await detailsOf(1)).toMatchObject({ trigger: { type: "look" }, message: "first" });
    const web = `${repository.url.replace(/\.git$/, "")}/commit/${second}`;
    const message = "Second\n\nWhy it is so.\n\n- \ufffd[31mone";
    expect(await detailsOf(2)).toMatchObject({
      event: "push",
      trigger: { type: "webhook", forge: "gitea", delivery: "d-1" },
      message,
      commitUrl: web,
    });
    expect(await detailsOf(3)).toMatchObject({
      event: "push",
      trigger: { type: "person", by: "Ann" },
      message,
    });
    expect(await detailsOf(4)).toMatchObject({
      event: "manual",
      trigger: { type: "person", by: "Bob" },
    });
  }, 60_000);
});

describe("where a build ran", () => {
  test("is kept: the machine, the tools of its steps, and names of variables without their values", async () => {
    const gate = new Gate();
    const repository = new TestRepository({
      ".autobuild.json": JSON.stringify({
        env: { GREETING: "hello-value" },
        steps: [{ name: "test", run: `node --version; ${gate.wait}`, env: { OWN: "own-value" } }],
      }),
    });
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.until("it runs", () => server.autobuild.builds.running().length > 0);
    const details = () => server.autobuild.detailsOf(server.autobuild.builds.get(1)!);
    await until("the tools are known", async () => "node" in (await details()).tools);
    gate.open();
    await server.ended(1);
    const found = await details();
    expect(found).toMatchObject({
      isTrusted: true,
      planReason: expect.stringContaining(".autobuild.json"),
      machine: {
        node: process.version,
        cores: expect.any(Number),
        os: expect.stringMatching(/\w/),
      },
      tools: {
        git: expect.stringMatching(/^\d+\.\d+/),
        node: expect.stringMatching(/^\d+\.\d+\.\d+/),
      },
      images: [],
      configuredVariables: ["GREETING", "OWN"],
      secrets: [],
    });
    expect(found.machine?.variables).toEqual(expect.arrayContaining(["CI", "PATH"]));
    expect(JSON.stringify(found)).not.toContain("-value");
    expect(JSON.stringify(found)).not.toContain(path.delimiter + "/usr/bin");
  }, 60_000);
});
