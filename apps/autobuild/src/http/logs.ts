import { Hono, type Context } from "hono";
import type { Autobuild } from "../autobuild.ts";
import type { IndexedLog } from "../log/indexed-log.ts";
import { shelfOf } from "../log/log-shelf.ts";
import { timeAt } from "../log/log-times.ts";
import { sendBytes } from "./byte-range.ts";
import type { DoorEnv } from "./guard.ts";
import { logHeaders, streamOf } from "./log-answer.ts";
import { problem } from "./problem.ts";

const maxQuery = 200;

/**
 * The logs of a build, each by itself:
 *
 *     /builds/12/logs/0.1           its bytes, also while it grows, and ranges of them
 *     /builds/12/logs/0.1/index     where to begin in it, its groups, and what looks like errors
 *     /builds/12/logs/0.1/search?q= the rows that have a text
 *     /builds/12/logs/0.1/times     when its bytes were printed
 */
export function logs(autobuild: Autobuild): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  const found = (context: Context): IndexedLog | undefined =>
    shelfOf(autobuild).get(Number(context.req.param("id")), context.req.param("log") ?? "");
  const path = "/builds/:id{[0-9]{1,15}}/logs/:log{[a-z0-9.]{1,12}}";

  app.get(path, async (context) => {
    const log = found(context);
    if (log === undefined) return noLog();
    await log.reader.refresh();
    const { reader } = log;
    return sendBytes(context, {
      length: reader.length,
      headers: logHeaders,
      stream: (from, to) => streamOf(reader, from, to),
    });
  });
  app.get(`${path}/index`, async (context) => {
    const log = found(context);
    if (log === undefined) return noLog();
    await log.advance();
    const { index, reader } = log;
    const times = index.groups.length === 0 ? [] : await reader.times();
    return context.json({
      byte: index.byte,
      lines: index.lineCount,
      checkpoints: index.checkpoints,
      groups: index.groups,
      groupTimes: index.groups.map(({ from, until }) => [
        timeAt(times, from),
        // What nothing has closed ends with the log.
        until === undefined && reader.end === undefined ? null : timeAt(times, until ?? index.byte),
      ]),
      errors: index.errors,
      end: reader.end ?? null,
      nowMs: Date.now(),
    });
  });
  app.get(`${path}/search`, async (context) => {
    const log = found(context);
    if (log === undefined) return noLog();
    const query = context.req.query("q") ?? "";
    if (query === "" || query.length > maxQuery)
      return problem(
        400,
        "HTTP_BAD_REQUEST",
        `Expected \`q\` to be a text of 1 to ${maxQuery} characters, got ${query.length}.`,
      );
    return context.json(await log.search(query, context.req.raw.signal));
  });
  app.get(`${path}/times`, async (context) => {
    const log = found(context);
    if (log === undefined) return noLog();
    const times = await log.reader.times();
    return context.json({ times: times.map(({ byte, epochMs }) => [byte, epochMs]) });
  });
  return app;
}

function noLog(): Response {
  return problem(
    404,
    "HTTP_NOT_FOUND",
    "Expected a build and a log of it, `setup` or `<step>.<attempt>`, got another one.",
  );
}
