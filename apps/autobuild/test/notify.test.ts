import { createHmac } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { SMTPServer } from "smtp-server";
import { describe, expect, onTestFinished, test } from "vitest";
import type { EndState } from "../src/build/build.ts";
import type { AutobuildEvents } from "../src/build/builds.ts";
import { Emitter } from "../src/events.ts";
import { Notifier } from "../src/notify/notifier.ts";
import { readNotifyConfig, type NotifyConfig } from "../src/notify/targets.ts";
import { openDatabase } from "../src/store/database.ts";
import { NoticeStore } from "../src/store/notice-store.ts";
import { Store } from "../src/store/store.ts";
import { newBuildOf } from "./support/builds.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { until } from "./support/until.ts";

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver on a real socket, that answers as it is told. */
async function receiver(): Promise<{
  url: string;
  received: Received[];
  answers: number[];
  texts: string[];
}> {
  const received: Received[] = [];
  const answers: number[] = [];
  const texts: string[] = [];
  const server = createServer((request, response) => {
    void request.toArray().then((chunks) => {
      received.push({
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks as Buffer[]).toString(),
      });
      response.statusCode = answers.shift() ?? 200;
      response.end(texts.shift() ?? "thanks\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close().closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answers,
    texts,
  };
}

class Rig {
  readonly clock = new ManualClock();
  readonly problems: string[] = [];
  readonly events = new Emitter<AutobuildEvents>((error) => {
    throw error;
  });
  readonly #database = openDatabase(temporaryFolder());
  readonly #store = new Store(this.#database);
  readonly notices = new NoticeStore(this.#database);
  readonly #repository = this.#store.repository("/p", "project").id;
  #notifier: Notifier | undefined;

  constructor() {
    this.events.on("problem", ({ message }) => this.problems.push(message));
    onTestFinished(async () => {
      await this.stop();
      this.#database.close();
    });
  }

  start(config: NotifyConfig): void {
    this.#notifier = new Notifier(
      {
        store: this.notices,
        events: this.events,
        clock: this.clock,
        build: (id) => this.#store.build(id),
      },
      config,
    );
    this.#notifier.start();
  }

  async stop(): Promise<void> {
    await this.#notifier?.stop();
  }

  begin(branch = "main", subject = "a subject"): number {
    const { id } = this.#store.insertBuild(
      newBuildOf(this.#repository, { branch, sha: "c0ffee".padEnd(40, "0"), subject }),
    );
    this.events.emit("buildChanged", this.#store.startBuild(id, "cookie", 1));
    return id;
  }

  /** As when a step of it begins. */
  change(id: number): void {
    this.events.emit("buildChanged", this.#store.build(id)!);
  }

  end(id: number, state: EndState): void {
    const reason = state === "failed" ? "step test exited with 1" : null;
    const end = { state, reason, finishedMs: 2, durationMs: 3400, logBytes: 0 };
    this.events.emit("buildChanged", this.#store.endBuild(id, end));
  }

  build(state: EndState, branch?: string, subject?: string): void {
    this.end(this.begin(branch, subject), state);
  }

  told(target: string): Promise<void> {
    return until(`${target} was told all`, () => this.notices.count(target) === 0);
  }
}

function config(yaml: string): NotifyConfig {
  const file = path.join(temporaryFolder(), "notify.yml");
  writeFileSync(file, yaml);
  return readNotifyConfig(file);
}

describe("notifications", () => {
  test("come when a branch breaks or is mended, signed, and not at every build", async () => {
    const { url, received } = await receiver();
    const rig = new Rig();
    rig.start(
      config(`
url: https://ci.example.org/
targets:
  - { type: webhook, url: ${url}/hook, secret: whsec_c2VjcmV0 }
`),
    );
    rig.build("passed");
    rig.build("failed");
    rig.build("cancelled");
    rig.build("failed");
    rig.build("failed", "other");
    rig.build("passed");
    await rig.told(`webhook ${new URL(url).host}`);
    const told = received.map(
      ({ body }) =>
        JSON.parse(body) as { data: { verdict: string; url: string; build: { branch: string } } },
    );
    expect(told.map(({ data }) => [data.build.branch, data.verdict, data.url])).toEqual([
      ["main", "broke", "https://ci.example.org/builds/2"],
      ["other", "broke", "https://ci.example.org/builds/5"],
      ["main", "mended", "https://ci.example.org/builds/6"],
    ]);
    const { headers, body } = received[0] as Received;
    const signature = createHmac("sha256", "secret")
      .update(
        `${headers["webhook-id"] as string}.${headers["webhook-timestamp"] as string}.${body}`,
      )
      .digest("base64");
    expect(headers["webhook-signature"]).toBe(`v1,${signature}`);
    expect(headers["webhook-id"]).toMatch(/^build-2-ended-\d+$/);
  });

  // Targets were told apart by their hosts: of several channels of one Slack only the last was told.
  test("go to each target, also where several are on one host", async () => {
    const { url, received } = await receiver();
    const rig = new Rig();
    rig.start(
      config(`
targets:
  - { type: slack, url: ${url}/one }
  - { type: slack, url: ${url}/two }
  - { type: slack, url: ${url}/release, branches: [release] }
  - { type: slack, url: ${url}/two }
`),
    );
    rig.build("failed");
    await until("all are told", () => received.length === 3);
    const { host } = new URL(url);
    for (const number of ["", " (2)", " (3)", " (4)"]) await rig.told(`slack ${host}${number}`);
    expect(received.map(({ path: at }) => at).toSorted()).toEqual(["/one", "/two", "/two"]);
  });

  test("in a channel cannot ping it by what a branch or a commit is called", async () => {
    const { url, received } = await receiver();
    const rig = new Rig();
    rig.start(config(`targets: [{ type: slack, url: "${url}" }]`));
    rig.build("failed", "<!channel>", "fix <https://evil.example|you & me>");
    await rig.told(`slack ${new URL(url).host}`);
    expect(JSON.parse(received[0]?.body ?? "")).toEqual({
      text: "project &lt;!channel&gt; broke: build 1 failed in 3.4 s: step test exited with 1\nc0ffee0 fix &lt;https://evil.example|you &amp; me&gt; (Ann)",
    });
  });

  test("tell forges how each commit is: while it runs and how it ended", async () => {
    const { url, received } = await receiver();
    const rig = new Rig();
    rig.start(
      config(`
url: https://ci.example.org
targets:
  - { type: github, url: ${url}/gh, project: ann/project, token: hub }
  - { type: gitlab, url: ${url}/gl, project: team/sub/project, token: lab, context: ci }
  - { type: gitea, url: ${url}/gt, project: ann/project, token: tea, repositories: [project] }
  - { type: gitea, url: ${url}/no, project: ann/other, token: tea, repositories: [oth*] }
`),
    );
    const id = rig.begin();
    await until("all know that it runs", () => received.length === 3);
    // Each step that begins and ends is a change of the build: forges were told `running` at each, which GitLab refuses.
    rig.change(id);
    rig.end(id, "failed");
    await until("all know how it ended", () => received.length === 6);
    const sha = "c0ffee".padEnd(40, "0");
    const sent = received
      .map(({ path: at, headers, body }) => ({
        at,
        headers,
        body: JSON.parse(body) as Record<string, string>,
      }))
      .toSorted((left, right) => left.at.localeCompare(right.at));
    expect(sent.map(({ at, body }) => [at, body["state"]])).toEqual([
      [`/gh/repos/ann/project/statuses/${sha}`, "pending"],
      [`/gh/repos/ann/project/statuses/${sha}`, "failure"],
      [`/gl/api/v4/projects/team%2Fsub%2Fproject/statuses/${sha}`, "running"],
      [`/gl/api/v4/projects/team%2Fsub%2Fproject/statuses/${sha}`, "failed"],
      [`/gt/api/v1/repos/ann/project/statuses/${sha}`, "pending"],
      [`/gt/api/v1/repos/ann/project/statuses/${sha}`, "failure"],
    ]);
    expect(sent[0]?.headers.authorization).toBe("Bearer hub");
    expect(sent[2]?.headers["private-token"]).toBe("lab");
    expect(sent[4]?.headers.authorization).toBe("token tea");
    expect(sent[1]?.body).toEqual({
      state: "failure",
      context: "autobuild",
      description: "build 1 failed in 3.4 s: step test exited with 1",
      target_url: "https://ci.example.org/builds/1",
    });
  });

  test("that GitLab has had already are no problem", async () => {
    const { url, received, answers, texts } = await receiver();
    answers.push(400, 400);
    texts.push('{"message":"Cannot transition status via :run from :running"}', '{"message":"no"}');
    const rig = new Rig();
    rig.start(config(`targets: [{ type: gitlab, url: "${url}", project: a/b, token: t }]`));
    const id = rig.begin();
    await until("it is told that it runs", () => received.length === 1);
    rig.end(id, "passed");
    await until("the other refusal is told", () => rig.problems.length > 0);
    expect(received).toHaveLength(2);
    expect(rig.problems).toEqual([expect.stringContaining('answered 400: {"message":"no"}')]);
  });

  test("go by mail to a real server, whatever stands in the commit", async () => {
    const mails: string[] = [];
    const smtp = new SMTPServer({
      authOptional: true,
      disabledCommands: ["STARTTLS"],
      logger: false,
      onData(stream, _session, done) {
        void stream.toArray().then((chunks) => {
          mails.push(Buffer.concat(chunks as Buffer[]).toString());
          done();
        });
      },
    });
    const { promise: listening, resolve } = Promise.withResolvers<void>();
    const server = smtp.listen(0, "127.0.0.1", resolve);
    await listening;
    onTestFinished(() => new Promise<void>((done) => smtp.close(() => done())));
    const { port } = server.address() as AddressInfo;
    const rig = new Rig();
    rig.start(
      config(`
targets:
  - type: mail
    smtp: smtp://127.0.0.1:${port}
    from: AutoBuild <ci@example.org>
    to: [ann@example.org, ben@example.org]
`),
    );
    rig.build("failed", "main", "one\r\nBcc: evil@example.org");
    await rig.told("mail to ann@example.org, ben@example.org");
    const [head = "", ...body] = (mails[0] ?? "").split("\r\n\r\n");
    expect(head).toContain("Subject: [project] project main broke: build 1 failed in 3.4 s");
    expect(head).toContain("Auto-Submitted: auto-generated");
    expect(head).not.toMatch(/^Bcc:/im);
    expect(body.join("\n")).toContain("commit  c0ffee");
  });

  test("wait for a receiver that fails, in order, and longer each time", async () => {
    const { url, received, answers } = await receiver();
    answers.push(503, 429, 500);
    const rig = new Rig();
    rig.start(config(`targets: [{ type: slack, url: "${url}", on: always }]`));
    rig.build("failed");
    rig.build("passed");
    for (const delayMs of [10_000, 20_000, 40_000]) {
      await until("it waits", () => rig.clock.nextDelayMs === delayMs);
      rig.clock.advance(delayMs);
    }
    await rig.told(`slack ${new URL(url).host}`);
    expect(received.map(({ body }) => /build (\d)/.exec(body)?.[1])).toEqual([
      "1",
      "1",
      "1",
      "1",
      "2",
    ]);
    // Who has mistyped a port learns it at once, and not when a day is over; and once.
    const { host } = new URL(url);
    expect(rig.problems).toEqual([
      `slack ${host} was not told of build 1 yet, and is tried again for a day: ${host} answered 503: thanks`,
    ]);
  });

  test("are given up when a receiver refuses them for good, or for a day", async () => {
    const { url, received, answers } = await receiver();
    answers.push(404, ...Array<number>(40).fill(500));
    const rig = new Rig();
    rig.start(config(`targets: [{ type: slack, url: "${url}", on: always }]`));
    const { host } = new URL(url);
    rig.build("failed");
    await until("the first is given up", () => rig.problems.length === 1);
    expect(rig.problems[0]).toBe(
      `slack ${host} was not told of build 1: ${host} answered 404: thanks`,
    );
    rig.build("passed");
    while (rig.problems.length < 3) {
      await until(
        "it waits or gives up",
        () => rig.clock.nextDelayMs !== undefined || rig.problems.length > 2,
      );
      rig.clock.advance(rig.clock.nextDelayMs ?? 0);
    }
    expect(rig.problems[1]).toContain("was not told of build 2 yet");
    expect(rig.problems[2]).toContain("was not told of build 2: ");
    // 10 s, doubled eight times, then each hour.
    expect(received).toHaveLength(1 + 9 + 23 + 1);
  });

  test("outlive the server, and are for those only who are still named", async () => {
    const { url, received, answers } = await receiver();
    const one = config(`targets: [{ type: slack, url: "${url}/one" }]`);
    const rig = new Rig();
    answers.push(500);
    rig.start(one);
    rig.build("failed");
    await until("it failed once", () => rig.clock.nextDelayMs !== undefined);
    await rig.stop();
    // A build that ended as the server died: nobody heard of it.
    rig.build("passed");
    rig.clock.advance(10_000);
    rig.start(one);
    await rig.told(`slack ${new URL(url).host}`);
    expect(received.map(({ body }) => /project main (?:broke|is mended)/.exec(body)?.[0])).toEqual([
      "project main broke",
      "project main broke",
      "project main is mended",
    ]);
    await rig.stop();
    rig.build("failed");
    rig.start({ url: undefined, targets: [] });
    await rig.stop();
    rig.start(one);
    expect(rig.notices.count(`slack ${new URL(url).host}`)).toBe(0);
  });
});

describe("notify.yml", () => {
  test("may be missing", () => {
    expect(readNotifyConfig(path.join(temporaryFolder(), "notify.yml"))).toEqual({
      url: undefined,
      targets: [],
    });
  });

  test.each([
    ["targets: [", "Expected YAML, got a file that does not parse"],
    ["{}", "Expected `targets` to be a list of targets, got nothing"],
    [
      "targets: [{ type: pager }]",
      "Expected `targets[0].type` to be a target whose type is webhook",
    ],
    [
      "targets: [{ type: slack, url: 'ftp://x' }]",
      'Expected `targets[0].url` to be a URL that begins with http:// or https://, got "ftp://x" (string).',
    ],
    [
      "targets: [{ type: slack, url: 'http://x', chanel: a }]",
      'Expected `targets[0]` to have no other fields than the documented ones, got "chanel"',
    ],
    [
      "targets: [{ type: github, project: 'a b', token: t }]",
      "Expected `targets[0].project` to be a path such as owner/name",
    ],
  ])("that says %s is refused", (yaml, message) => {
    expect(() => config(yaml)).toThrow(message);
  });
});
