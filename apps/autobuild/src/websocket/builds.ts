import { defineService, type } from "windsock";
import { z } from "zod";
import type { Build } from "../build/build.ts";
import type { Repository } from "../build/repository.ts";
import { messageOf } from "../errors.ts";
import { currentAutobuild } from "../running.ts";

/** What a page is told: everything once, then each change. */
export type BuildsEvent =
  | {
      readonly type: "snapshot";
      /** The server's time, by which a page knows how long ago things were. */
      readonly nowMs: number;
      /** Newest first. */
      readonly builds: readonly Build[];
      readonly repositories: readonly Repository[];
    }
  | { readonly type: "build"; readonly build: Build }
  | { readonly type: "repository"; readonly repository: Repository }
  /** The answer to a ping: the connection holds. */
  | { readonly type: "pong" }
  /** The answer to something this client asked for and that could not be done. */
  | { readonly type: "refused"; readonly message: string };

const shownBuilds = 50;

/** The builds as data: for the page, and for whoever wants to know without reading logs. */
export default defineService({
  incoming: z.discriminatedUnion("type", [
    z.object({ type: z.literal("rebuild"), id: z.number().int() }),
    z.object({ type: z.literal("cancel"), id: z.number().int() }),
    z.object({ type: z.literal("ping") }),
  ]),
  outgoing: type<BuildsEvent>(),
  init(service) {
    const { on } = currentAutobuild();
    const offs = [
      on("buildChanged", (build) => service.publish({ type: "build", build })),
      on("repositoryChanged", (repository) => service.publish({ type: "repository", repository })),
    ];
    service.signal.addEventListener("abort", () => offs.forEach((off) => off()), { once: true });
  },
  handleJoin(client) {
    const { builds } = currentAutobuild();
    client.send({
      type: "snapshot",
      nowMs: Date.now(),
      builds: builds.list({ limit: shownBuilds }),
      repositories: builds.repositories(),
    });
  },
  handleIncoming(client, message) {
    const { builds } = currentAutobuild();
    const refuse = (error: unknown): void =>
      client.send({ type: "refused", message: messageOf(error) });
    switch (message.type) {
      case "ping":
        client.send({ type: "pong" });
        return;
      case "rebuild":
        try {
          builds.rebuild(message.id);
        } catch (error) {
          refuse(error);
        }
        return;
      case "cancel":
        // Takes as long as its processes need to end; nobody else waits for it.
        builds.cancel(message.id, "somebody on the page").catch(refuse);
    }
  },
});
