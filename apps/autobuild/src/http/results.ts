import { Readable } from "node:stream";
import { Hono, type Context } from "hono";
import type { Autobuild } from "../autobuild.ts";
import type { Artifact } from "../results/artifacts.ts";
import { rangeOf } from "./byte-range.ts";
import type { DoorEnv } from "./guard.ts";
import { problem } from "./problem.ts";

/** Tests and artifacts of builds. */
export function results(autobuild: Autobuild): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.get("/api/builds/:id{[0-9]{1,15}}/results", (context) => {
    const id = Number(context.req.param("id"));
    if (autobuild.builds.get(id) === undefined) return noBuild();
    const { tests: counts, problems } = autobuild.results.summary(id);
    return context.json({
      counts,
      problems,
      tests: autobuild.results.tests(id),
      artifacts: autobuild.results.artifacts(id).map((artifact) => ({
        ...artifact,
        url: urlOf(id, artifact),
      })),
    });
  });
  app.get("/api/repositories/:id{[0-9]{1,15}}/flaky", (context) =>
    context.json({ tests: autobuild.results.flaky(Number(context.req.param("id"))) }),
  );
  app.get("/builds/:id{[0-9]{1,15}}/artifacts/:position{[0-9]{1,4}}/:name{[^]+}", (context) => {
    const { id, position, name } = context.req.param();
    const artifact = autobuild.results.artifact(Number(id), Number(position), name);
    return artifact === undefined ? noFile() : send(context, autobuild, Number(id), artifact);
  });
  app.get("/latest/:repository/:name{[^]+}", (context) => {
    const { repository: named, name } = context.req.param();
    const repository = autobuild.builds.repositories().find((each) => each.name === named);
    const state = repository?.state;
    const branch =
      context.req.query("branch") ?? (state?.type === "reachable" ? state.headBranch : null);
    if (repository === undefined || branch === null) return noFile();
    const latest = autobuild.results.latest(repository.id, branch, name);
    if (latest === undefined) return noFile();
    return context.redirect(urlOf(latest.buildId, latest.artifact), 302);
  });
  return app;
}

function urlOf(buildId: number, { position, name }: Artifact): string {
  return `/builds/${buildId}/artifacts/${position}/${name.split("/").map(encodeURIComponent).join("/")}`;
}

/** A file as it is, to be saved and never shown: what a build made must not run here, by whatever name. */
async function send(
  context: Context<DoorEnv>,
  autobuild: Autobuild,
  buildId: number,
  artifact: Artifact,
): Promise<Response> {
  const { bytes, sha256, name } = artifact;
  const tag = `"${sha256}"`;
  const headers = {
    "Accept-Ranges": "bytes",
    "Content-Disposition": dispositionOf(name.split("/").at(-1) ?? name),
    "Content-Type": "application/octet-stream",
    "Cache-Control": "private, max-age=31536000, immutable",
    ETag: tag,
    "Repr-Digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`,
  };
  if (context.req.header("if-none-match") === tag) return context.body(null, 304, headers);
  const range = rangeOf(context.req.header("range"), bytes);
  if (range === "none") return context.body(null, 416, { "Content-Range": `bytes */${bytes}` });
  const stream = await autobuild.results.open(
    buildId,
    artifact,
    range && { from: range.from, to: range.to - 1 },
  );
  if (stream === undefined)
    return problem(
      404,
      "HTTP_GONE",
      "Expected a file that is still kept, got one that was removed. Build the commit again.",
    );
  const { from, to } = range ?? { from: 0, to: bytes };
  return context.body(Readable.toWeb(stream) as ReadableStream, range === undefined ? 200 : 206, {
    ...headers,
    "Content-Length": String(to - from),
    ...(range === undefined ? {} : { "Content-Range": `bytes ${from}-${to - 1}/${bytes}` }),
  });
}

/** RFC 6266, with RFC 8187 for what is not ASCII. */
function dispositionOf(name: string): string {
  const plain = name.replaceAll(/[^\w .-]/g, "_");
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

function noBuild(): Response {
  return problem(
    404,
    "AUTOBUILD_NO_SUCH_BUILD",
    "Expected the number of a build, got one that there is not.",
  );
}

function noFile(): Response {
  return problem(404, "HTTP_NOT_FOUND", "Expected a file that a build has kept, got another one.");
}
