import { defineService, reply, type } from "windsock";
import { z } from "zod";
import { pageVersion } from "../assets.ts";
import { requireRole, type Access } from "../auth/access.ts";
import { admit, currentAccess } from "../auth/admit.ts";
import type { Visitor } from "../auth/role.ts";
import type { Build } from "../build/build.ts";
import type { BranchRow, Overview, Queue } from "../build/overview.ts";
import type { Repository } from "../build/repository.ts";
import { retryFailed } from "../build/retry-failed.ts";
import { messageOf, noSuchBuild } from "../errors.ts";
import { whenever } from "../log/log-chunk.ts";
import { currentAutobuild } from "../running.ts";

/** What a page is told: everything once, then each change. */
export type BuildsEvent =
  | ({
      readonly type: "snapshot";
      /** The server's time, by which a page knows how long ago things were. */
      readonly nowMs: number;
      /** Newest first. */
      readonly builds: readonly Build[];
      readonly repositories: readonly Repository[];
      /** Of the page that the server has. */
      readonly pageVersion: string;
      /** Who is told, in the answer to their join. */
      readonly access?: Visitor;
    } & Overview)
  | { readonly type: "build"; readonly build: Build }
  /** How the branch of a build that has changed stands now. */
  | { readonly type: "branch"; readonly row: BranchRow }
  /** The branch has no row any more: it was removed, and nothing of it is on its way. */
  | { readonly type: "branchGone"; readonly repositoryId: number; readonly branch: string }
  | { readonly type: "queue"; readonly queue: Queue }
  | { readonly type: "repository"; readonly repository: Repository }
  /** The answer to a ping: the connection holds. */
  | { readonly type: "pong" }
  /** The answer to something this client asked for and that could not be done. */
  | { readonly type: "refused"; readonly message: string };

/** What became of what a client asked for by a call. */
export type Answer =
  | { readonly type: "done"; readonly build: Build }
  | { readonly type: "refused"; readonly message: string };

/** What became of the branches of a repository whose last build did not pass: so many are built again. */
export type RetryAnswer =
  | { readonly type: "done"; readonly count: number }
  | { readonly type: "refused"; readonly message: string };

const shownBuilds = 50;
const byId = z.object({ id: z.number().int() });

/**
 * The builds as data: for the page, and for whoever wants to know without reading logs.
 *
 * A client of `windsock.v1` asks by calls and knows by the numbers of the events that it has them all;
 * a plain one sends messages.
 */
export default defineService({
  incoming: z.discriminatedUnion("type", [
    z.object({ type: z.literal("rebuild"), id: z.number().int() }),
    z.object({ type: z.literal("cancel"), id: z.number().int() }),
    z.object({ type: z.literal("ping") }),
  ]),
  outgoing: type<BuildsEvent>(),
  authorize: (request) => admit(request, "viewer"),
  calls: {
    rebuild: { request: byId, response: type<Answer>() },
    cancel: { request: byId, response: type<Answer>() },
    retryFailed: {
      request: z.object({ repositoryId: z.number().int() }),
      response: type<RetryAnswer>(),
    },
  },
  init(service) {
    const { on, overview } = currentAutobuild();
    const tellBranch = ({ repositoryId, branch }: Pick<Build, "repositoryId" | "branch">): void => {
      const row = overview.row(repositoryId, branch);
      if (row === undefined) return;
      if (overview.isShown(repositoryId, branch)) service.publish({ type: "branch", row });
      else service.publish({ type: "branchGone", repositoryId, branch });
    };
    const offs = [
      on("buildChanged", (build) => {
        service.publish({ type: "build", build });
        tellBranch(build);
      }),
      on("branchGone", tellBranch),
      on("repositoryChanged", (repository) => service.publish({ type: "repository", repository })),
      // It takes its branches with it.
      on("repositoryRemoved", () => service.publish(everything())),
    ];
    service.signal.addEventListener("abort", () => offs.forEach((off) => off()), { once: true });
    let told = "";
    whenever(on, "buildChanged", service.signal, () => {
      const queue = overview.queue();
      const telling = queue.first.map(({ build, reason }) => `${build.id} ${reason}`).join("\n");
      if (telling === told) return;
      told = telling;
      service.publish({ type: "queue", queue });
    });
  },
  handleJoin(client) {
    const { name, role } = currentAccess(client.user);
    client.send({ ...everything(), access: { name, role } });
  },
  snapshot: everything,
  handleIncoming(client, message) {
    switch (message.type) {
      case "ping":
        client.send({ type: "pong" });
        return;
      case "rebuild":
      case "cancel": {
        const answer = answerOf(() => does[message.type](client, message.id));
        if (answer.type === "refused") client.send(answer);
      }
    }
  },
  handleCall: {
    rebuild: (client, { id }) => reply(answerOf(() => does.rebuild(client, id))),
    cancel: (client, { id }) => reply(answerOf(() => does.cancel(client, id))),
    retryFailed(client, filter) {
      try {
        const by = nameOfBuilder(client);
        const { builds, overview } = currentAutobuild();
        const retried = retryFailed(overview.pages(), builds, filter, by);
        return reply({ type: "done", count: retried.builds.length });
      } catch (error) {
        return reply({ type: "refused", message: messageOf(error) });
      }
    },
  },
});

interface Asker {
  readonly user: Access;
  send(event: BuildsEvent): void;
}

/** What clients can have done, each for whoever may build by now. Without a client it is the server's own code that asks. */
const does = {
  rebuild(client: Asker | undefined, id: number): Build {
    return currentAutobuild().builds.rebuild(id, nameOfBuilder(client));
  },
  cancel(client: Asker | undefined, id: number): Build {
    const name = nameOfBuilder(client);
    const { builds } = currentAutobuild();
    const build = builds.get(id);
    if (build === undefined) throw noSuchBuild(id);
    // It ends when no process of it is left, and everybody is told then.
    builds
      .cancel(id, name)
      .catch((error: unknown) => client?.send({ type: "refused", message: messageOf(error) }));
    return build;
  },
};

function nameOfBuilder(client: Asker | undefined): string {
  const access = client === undefined ? undefined : currentAccess(client.user);
  if (access !== undefined) requireRole(access, "builder");
  return access?.name ?? "somebody on the page";
}

function everything(): Extract<BuildsEvent, { type: "snapshot" }> {
  const { builds, overview } = currentAutobuild();
  return {
    type: "snapshot",
    nowMs: Date.now(),
    pageVersion: pageVersion(),
    builds: builds.list({ limit: shownBuilds }),
    repositories: builds.repositories(),
    ...overview.overview(),
  };
}

function answerOf(ask: () => Build): Answer {
  try {
    return { type: "done", build: ask() };
  } catch (error) {
    return { type: "refused", message: messageOf(error) };
  }
}
