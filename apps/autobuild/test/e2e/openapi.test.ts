import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { hasEnded } from "../../src/build/build.ts";
import { pages } from "../../src/pages.ts";
import { Doors } from "../support/doors.ts";
import { TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Record<string, { readonly content?: Record<string, { schema: object }> }>;
}

interface Description {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

/** What the parameters of paths and the queries that must be there are in this test. */
const values: Readonly<Record<string, string>> = {
  id: "1",
  log: "0.1",
  position: "0",
  name: "file.txt",
  repository: "project",
  file: "project.svg",
  q: "hello",
};

const description = async (doors: Doors): Promise<Description> =>
  (await (await doors.fetch("/api/openapi.json", { token: "admin" })).json()) as Description;

/** `/builds/:id{[0-9]+}` and `/builds/{id}` are the same path, whatever their parameters are called. */
const shapeOf = (path: string): string =>
  path.replaceAll(/:\w+(?:\{(?:[^{}]|\{[^{}]*\})*\})?|\{\w+\}/g, "{}");

describe("the description of what answers", () => {
  test("has every route that there is, and no other", async () => {
    const doors = await Doors.open();
    const { paths } = await description(doors);
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${shapeOf(path)}`),
    );
    const { routes } = await pages(doors.autobuild);
    const there = routes
      .filter(({ path }) => !path.includes("*") && !path.startsWith("/assets/"))
      // A hook answers whoever asks otherwise with 405.
      .map(({ method, path }) => `${method === "ALL" ? "POST" : method} ${shapeOf(path)}`);
    expect(there.length).toBeGreaterThan(30);
    expect([...new Set(described)].toSorted()).toEqual([...new Set(there)].toSorted());
    const ids = Object.values(paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  }, 60_000);

  test("says what comes: every answer to a GET is as described, of a build that there is and one that is not", async () => {
    const report = `<testsuite name='s'><testcase classname='s' name='one'/></testsuite>`;
    const repository = new TestRepository({
      "report.xml": report,
      ".autobuild.json": JSON.stringify({
        steps: [
          {
            name: "test",
            run: "echo '::group::Say'; echo hello; echo '::endgroup::'; echo hello > file.txt",
            artifacts: ["file.txt"],
            reports: ["report.xml"],
          },
        ],
      }),
    });
    const doors = await Doors.open({ repositories: [repository.folder] });
    await doors.autobuild.start();
    await until("the build has ended", () => {
      const build = doors.autobuild.builds.get(1);
      return build !== undefined && hasEnded(build);
    });
    const { paths, components } = await description(doors);
    const ajv = new Ajv2020({ strict: false });
    const asked: string[] = [];
    for (const [path, { get }] of Object.entries(paths)) {
      if (get === undefined) continue;
      for (const id of ["1", "99"]) {
        const valueOf = (name: string): string => (name === "id" ? id : (values[name] ?? ""));
        const needed = get.parameters.filter(
          ({ name, in: place }) => place === "query" && values[name] !== undefined && name === "q",
        );
        const query = needed.map(({ name }) => `?${name}=${values[name]}`).join("");
        const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => valueOf(name)) + query;
        const answer = await doors.fetch(url, { token: "admin" });
        const { status } = answer;
        const type = (answer.headers.get("content-type") ?? "").split(";")[0] ?? "";
        const body = await answer.text();
        const response = get.responses[status];
        expect([url, status, response !== undefined]).toEqual([url, status, true]);
        asked.push(`${path} ${status}`);
        if (response?.content === undefined) continue;
        const schema = response.content[type]?.schema;
        expect([url, status, type, schema !== undefined]).toEqual([url, status, type, true]);
        if (!type.endsWith("json") || schema === undefined) continue;
        const validate = ajv.compile({ ...schema, components });
        validate(JSON.parse(body));
        expect([url, status, validate.errors]).toEqual([url, status, null]);
      }
    }
    expect(asked).toEqual(
      expect.arrayContaining([
        "/builds/{id}/logs/{log}/index 200",
        "/builds/{id}/artifacts/{position}/{name} 200",
        "/builds/{id}/artifacts/{position}/{name} 404",
        "/latest/{repository}/{name} 302",
        "/badges/{file} 200",
        "/api/repositories/{id}/flaky 200",
        "/api/builds/{id}/details 200",
      ]),
    );
  }, 60_000);
});
