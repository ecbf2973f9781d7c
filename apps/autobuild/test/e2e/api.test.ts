import { DatabaseSync } from "node:sqlite";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { describe, expect, test, vi } from "vitest";
import type { Build } from "../../src/build/build.ts";
import { hasEnded } from "../../src/build/build.ts";
import type { Problem } from "../../src/http/problem.ts";
import { Doors } from "../support/doors.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";

interface Description {
  readonly paths: Record<
    string,
    Record<string, { responses: Record<string, { content: Record<string, { schema: object }> }> }>
  >;
  readonly components: { readonly schemas: Record<string, object> };
}

/** Asks the API, and holds every answer to its description. */
class Client {
  readonly #doors: Doors;
  readonly #description: Description;
  readonly #ajv = new Ajv2020({ strict: false });
  /** What was answered, such as `post /api/builds 201`. */
  readonly seen = new Set<string>();

  constructor(doors: Doors, description: Description) {
    this.#doors = doors;
    this.#description = description;
  }

  static async of(doors: Doors): Promise<Client> {
    const answer = await doors.fetch("/api/openapi.json", { token: "viewer" });
    return new Client(doors, (await answer.json()) as Description);
  }

  async ask<Answer>(
    method: "get" | "post",
    path: string,
    { token = "builder", body }: { token?: string; body?: unknown } = {},
  ): Promise<{ status: number; body: Answer }> {
    const answer = await this.#doors.fetch(path, {
      method: method.toUpperCase(),
      token,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    const [pathname = ""] = path.split("?");
    const template = pathname.replace(/\/builds\/\d+/, "/builds/{id}");
    const type = (answer.headers.get("content-type") ?? "").split(";")[0] ?? "";
    const where = `${method} ${template} ${answer.status}`;
    this.seen.add(where);
    const described =
      this.#description.paths[template]?.[method]?.responses[answer.status]?.content[type];
    if (described === undefined)
      throw new Error(`Expected ${where} as ${type} in the description.`);
    if (!type.endsWith("json"))
      return { status: answer.status, body: (await answer.text()) as Answer };
    const json = (await answer.json()) as Answer;
    const validate = this.#validator(described.schema);
    validate(json);
    if (validate.errors !== null && validate.errors !== undefined)
      throw new Error(`${where}: ${JSON.stringify(validate.errors)}`);
    return { status: answer.status, body: json };
  }

  #validator(schema: object): ValidateFunction {
    const { components } = this.#description;
    return this.#ajv.compile({ ...schema, components });
  }
}

describe("the API", () => {
  test("is described in valid OpenAPI, from what checks it", async () => {
    const doors = await Doors.open();
    const description = (await (
      await doors.fetch("/api/openapi.json", { token: "viewer" })
    ).json()) as Description & Record<string, unknown>;
    const validated = await new Validator().validate(structuredClone(description));
    expect(validated.errors ?? []).toEqual([]);
    expect(validated.valid).toBe(true);
    expect(Object.keys(description.components.schemas)).toEqual(
      expect.arrayContaining(["Build", "Step", "Attempt", "Problem", "Repository", "Queue"]),
    );
    expect(JSON.stringify(description)).not.toContain("$defs");
  });

  test("runs, shows, repeats and cancels builds; every answer is as described", async () => {
    const repository = new TestRepository(steps("echo one; exit 3", "echo never"));
    const doors = await Doors.open({ repositories: [repository.folder] });
    const client = await Client.of(doors);
    await doors.autobuild.start();
    const ended = async (id: number): Promise<Build> => {
      let build: Build | undefined;
      await until(`build ${id} has ended`, () => {
        build = doors.autobuild.builds.get(id);
        return build !== undefined && hasEnded(build);
      });
      return build!;
    };
    await ended(1);

    const one = await client.ask<Build>("get", "/api/builds/1");
    expect(one.body).toEqual(doors.autobuild.builds.get(1));
    expect(one.body).toMatchObject({
      state: "failed",
      steps: [{ state: "failed" }, { state: "skipped" }],
    });
    expect((await client.ask<string>("get", "/api/builds/1/log")).body).toContain("\none\n");
    const log = (await client.ask<string>("get", "/api/builds/1/log")).body;
    expect((await client.ask<string>("get", "/api/builds/1/log?from=1")).body).toBe(
      log.slice(log.indexOf("\n") + 1),
    );
    expect((await client.ask("get", "/api/builds/1/plan")).body).toMatchObject({
      sha: one.body.sha,
      repository: repository.folder,
      steps: [
        { name: "step-1", argv: ["/bin/sh", "-ec", "echo one; exit 3"] },
        { needs: ["step-1"] },
      ],
      workspace: expect.stringContaining("/workspaces/1"),
    });
    await client.ask("get", "/api/builds/1/results");
    await client.ask("get", "/api/queue");
    await client.ask("get", "/api/repositories");
    expect((await client.ask("get", "/api/session")).body).toEqual({
      name: "builder",
      role: "builder",
    });

    expect((await client.ask("post", "/api/builds/1/retry")).body).toMatchObject({
      id: 2,
      causeBuildId: 1,
    });
    await ended(2);
    expect((await client.ask("post", "/api/builds/retry-failed", { body: {} })).body).toMatchObject(
      {
        builds: [{ id: 3, causeBuildId: 2 }],
      },
    );
    await ended(3);
    repository.commitSteps("slow", "sleep 1000");
    await until("build 4 runs", () => doors.autobuild.builds.get(4)?.state === "running");
    // What waits or runs is not repeated.
    expect(
      (await client.ask("post", "/api/builds/retry-failed", { body: { branch: "main" } })).body,
    ).toEqual({ builds: [], isQueueFull: false });
    expect(
      (await client.ask("post", "/api/builds", { body: { branch: "main" } })).body,
    ).toMatchObject({
      id: 5,
      cause: "manual",
      branch: "main",
    });
    expect((await client.ask("post", "/api/builds/5/cancel")).body).toMatchObject({
      state: "cancelled",
    });
    expect((await client.ask("post", "/api/builds/4/cancel")).body).toMatchObject({
      state: "cancelled",
      reason: "cancelled by builder",
    });
    expect((await client.ask("get", "/api/builds/5/plan")).status).toBe(409);
    expect((await client.ask("get", "/api/builds/5/log")).status).toBe(404);
    expect((await client.ask("post", "/api/builds/4/cancel")).status).toBe(409);
    const list = await client.ask<{ builds: Build[] }>(
      "get",
      "/api/builds?limit=2&before=5&branch=main",
    );
    expect(list.body.builds.map(({ id }) => id)).toEqual([4, 3]);

    const second = new TestRepository(steps("true"));
    expect(
      (await client.ask("post", "/api/repositories", { body: { source: second.folder } })).status,
    ).toBe(403);
    const added = await client.ask("post", "/api/repositories", {
      token: "admin",
      body: { source: second.folder },
    });
    expect(added.body).toMatchObject({ label: second.folder });
    await until("it is built", () =>
      doors.autobuild.builds.list().some((build) => build.repositoryId === 2 && hasEnded(build)),
    );
    // Named by two of them, it is not known which is meant.
    expect((await client.ask<Problem>("post", "/api/builds", { body: {} })).body.detail).toContain(
      "got 2",
    );
  }, 120_000);

  test("says what was expected, what came and what to do, in problem details", async () => {
    const repository = new TestRepository(steps("true"));
    const doors = await Doors.open({ repositories: [repository.folder] });
    const client = await Client.of(doors);
    await doors.autobuild.start();
    const cases: [string, string, { body?: unknown; token?: string }, number, string, RegExp][] = [
      [
        "get",
        "/api/builds/99",
        {},
        404,
        "AUTOBUILD_NO_SUCH_BUILD",
        /^Expected the number of a build, got 99/,
      ],
      ["get", "/api/builds?limit=0", {}, 400, "HTTP_BAD_QUERY", /a fault at `limit`/],
      ["get", "/api/builds/1/log?from=x", {}, 400, "HTTP_BAD_QUERY", /expected a number/],
      ["post", "/api/builds", { body: { brunch: "x" } }, 400, "HTTP_BAD_BODY", /brunch/],
      [
        "post",
        "/api/builds",
        { body: { branch: "none" } },
        404,
        "AUTOBUILD_NO_SUCH_BRANCH",
        /none/,
      ],
      [
        "post",
        "/api/builds",
        { body: { branch: "x".repeat(70_000) } },
        413,
        "HTTP_TOO_LARGE",
        /^Expected a body of at most/,
      ],
      [
        "post",
        "/api/builds",
        { body: {}, token: "viewer" },
        403,
        "AUTOBUILD_FORBIDDEN",
        /at least builder, got viewer \(viewer\)/,
      ],
      [
        "post",
        "/api/repositories",
        { body: { source: "relative" }, token: "admin" },
        400,
        "AUTOBUILD_BAD_SOURCE",
        /^Expected an absolute path/,
      ],
      [
        "post",
        "/api/repositories",
        { body: { source: "ext::sh -c id" }, token: "admin" },
        400,
        "AUTOBUILD_BAD_SOURCE",
        /can run any program/,
      ],
      [
        "post",
        "/api/repositories",
        { body: { source: "https://u:p@x.example/y.git" }, token: "admin" },
        400,
        "AUTOBUILD_BAD_SOURCE",
        /without user name and password, got "https:\/\/x/,
      ],
    ];
    for (const [method, path, options, status, code, detail] of cases) {
      const answer = await client.ask<Problem>(method as "get", path, options);
      expect([path, answer.status, answer.body]).toEqual([
        path,
        status,
        {
          type: "about:blank",
          title: expect.any(String),
          status,
          code,
          detail: expect.stringMatching(detail),
        },
      ]);
    }
    const text = await doors.fetch("/api/builds", { method: "POST", token: "builder", body: "x" });
    expect([text.status, ((await text.json()) as Problem).code]).toEqual([415, "HTTP_NOT_JSON"]);
    const none = await doors.fetch("/api/builds/x", { token: "viewer" });
    expect([none.status, none.headers.get("content-type")]).toEqual([
      404,
      "application/problem+json",
    ]);
  }, 120_000);

  test("says that the disk is full, and goes on when there is room again", async () => {
    const repository = new TestRepository(steps("true"));
    const doors = await Doors.open({ repositories: [repository.folder] });
    const client = await Client.of(doors);
    await doors.autobuild.start();
    await until("it is built", () => {
      const build = doors.autobuild.builds.get(1);
      return build !== undefined && hasEnded(build);
    });
    // What SQLite throws in such a case, made by SQLite itself.
    const database = new DatabaseSync(":memory:");
    database.exec("PRAGMA max_page_count = 2; CREATE TABLE t (b BLOB)");
    const fill = (): Build => {
      database.exec("INSERT INTO t VALUES (zeroblob(100000))");
      throw new Error("Expected a full database.");
    };
    vi.spyOn(doors.autobuild.builds, "rebuild").mockImplementationOnce(fill);
    const full = await client.ask<Problem>("post", "/api/builds/1/retry");
    expect(full.body).toMatchObject({
      status: 507,
      code: "HTTP_DISK_FULL",
      detail: expect.stringMatching(/^Expected room on the disk .* Make room, then try again\.$/),
    });
    expect((await client.ask("post", "/api/builds/1/retry")).status).toBe(201);
  });

  test("keeps what was added over a restart", async () => {
    const repository = new TestRepository(steps("true"));
    const doors = await Doors.open();
    await doors.autobuild.start();
    await doors.autobuild.addRepository(repository.folder);
    const { createAutobuild } = await import("../../src/autobuild.ts");
    await doors.server.stop();
    await doors.autobuild.stop();
    const again = createAutobuild({ dataDir: doors.dataDir, repositories: [] });
    expect(again.builds.repositories().map(({ label }) => label)).toEqual([repository.folder]);
    await again.stop();
  });
});

describe("/healthz", () => {
  test("says without a login whether it is ready, and how it does, without a name", async () => {
    const repository = new TestRepository(steps("true"));
    const doors = await Doors.open({ repositories: [repository.folder, "http://127.0.0.1:9/x"] });
    const ask = async (): Promise<[number, { status: string; app: Record<string, unknown> }]> => {
      const answer = await doors.fetch("/healthz");
      return [answer.status, (await answer.json()) as never];
    };
    expect(await ask()).toMatchObject([503, { status: "unready" }]);
    await doors.autobuild.start();
    await until("it is built, and the other one tried", async () => {
      const [, { app }] = await ask();
      return (
        doors.autobuild.builds.get(1)?.finishedMs != null && app["repositoriesUnreachable"] === 1
      );
    });
    const [status, health] = await ask();
    expect([status, health]).toEqual([
      200,
      {
        status: "ok",
        services: expect.any(Array),
        app: {
          buildsRunning: 0,
          buildsQueued: 0,
          oldestQueuedSeconds: 0,
          repositories: 2,
          repositoriesUnreachable: 1,
          isDataFolderWritable: true,
          dataFreeBytes: expect.any(Number),
          hasRoom: true,
        },
      },
    ]);
    expect(JSON.stringify(health)).not.toContain(repository.folder);
    const metrics = await (await doors.fetch("/metrics", { token: "viewer" })).text();
    for (const line of [
      "builds_running 0",
      "builds_queued 0",
      "data_writable 1",
      "data_has_room 1",
    ])
      expect(metrics).toContain(`autobuild_${line}\n`);
    const stopping = doors.server.stop();
    expect(await ask().catch(() => [503, { status: "draining" }])).toMatchObject([
      503,
      { status: "draining" },
    ]);
    await stopping;
  });
});

describe("/metrics", () => {
  test("is what Prometheus reads, behind the same door, with hostile names as text", async () => {
    const repository = new TestRepository(steps("true"));
    const doors = await Doors.open({ repositories: [repository.folder] });
    await doors.autobuild.start();
    await until("it is built", () => {
      const build = doors.autobuild.builds.get(1);
      return build !== undefined && hasEnded(build);
    });
    expect((await doors.fetch("/metrics")).status).toBe(401);
    const answer = await doors.fetch("/metrics", { token: "viewer" });
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await answer.text();
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(# (HELP|TYPE) autobuild_\w+ .+|autobuild_\w+(\{(\w+="([^"\\\n]|\\.)*",?)+\})? -?\d+(\.\d+)?(e[+-]?\d+)?)$/,
      );
    expect(text).toContain('autobuild_builds_ended_total{state="passed"} 1\n');
    expect(text).toContain("autobuild_builds_running 0\n");
    expect(text).toContain(`autobuild_repository_up{repository="${repository.folder}"} 1\n`);
    expect(Number(/autobuild_data_free_bytes (\d+)/.exec(text)?.[1])).toBeGreaterThan(0);
  });
});
