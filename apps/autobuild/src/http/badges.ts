import { Hono } from "hono";
import type { Autobuild } from "../autobuild.ts";
import { badgeOf } from "../badges/badge.ts";
import { ccXml } from "../badges/cc.ts";
import type { BranchRow } from "../build/overview.ts";
import type { DoorEnv } from "./guard.ts";
import { problem } from "./problem.ts";

/** How branches stand, for READMEs and build monitors. */
export function badges(autobuild: Autobuild): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.get("/badges/:file{.+\\.svg}", (context) => {
    const name = context.req.param("file").replace(/\.svg$/, "");
    const repository = autobuild.builds.repositories().find((each) => each.name === name);
    if (repository === undefined)
      return problem(
        404,
        "HTTP_NOT_FOUND",
        "Expected the name of a repository that is built here, got another one.",
      );
    const { state } = repository;
    const branch =
      context.req.query("branch") ?? (state.type === "reachable" ? state.headBranch : null);
    const row = branch === null ? undefined : autobuild.overview.row(repository.id, branch);
    return context.body(badgeOf(context.req.query("label") ?? "build", row?.build), 200, {
      "Content-Type": "image/svg+xml; charset=utf-8",
      "Cache-Control": "no-cache",
    });
  });
  app.get("/cc.xml", (context) => {
    const { origin } = new URL(context.req.url);
    const projects = autobuild.overview.overview().branches.map((row) => ({
      name: `${row.repository}/${row.branch}`,
      webUrl: `${origin}/builds/${row.build.id}`,
      last: lastVerdict(autobuild, row),
      newest: row.build,
    }));
    return context.body(ccXml(projects), 200, { "Content-Type": "application/xml; charset=utf-8" });
  });
  return app;
}

function lastVerdict(autobuild: Autobuild, { recent }: BranchRow) {
  const last = recent.find(({ state }) => state === "passed" || state === "failed");
  return last === undefined ? undefined : autobuild.builds.get(last.id);
}
