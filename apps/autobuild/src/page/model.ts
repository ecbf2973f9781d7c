import { connect, type ChannelState } from "windsock/client";
import type { Visitor } from "../auth/role.ts";
import { branchesToRetry } from "../build/branches-to-retry.ts";
import type { Build } from "../build/build.ts";
import type { BranchRow, Queue } from "../build/overview.ts";
import type { Repository } from "../build/repository.ts";
import type { BuildsEvent } from "../websocket/builds.ts";
import { indicatorOf, type Indicator } from "./indicator.ts";
import { KnownBuilds } from "./known-builds.ts";

/** What the page is told besides that something has changed. */
export interface ModelListener {
  handleChange(): void;
  /** A build has changed; `before` is undefined for one that was not known. */
  handleBuild(build: Build, before: Build | undefined): void;
  /** A branch stands in another way than before. */
  handleRow(row: BranchRow, before: BranchRow | undefined): void;
  handleRefusal(message: string): void;
}

/** Why nothing can be asked for. */
export const noConnection =
  "There is no connection to the server now. Try again when the page is live.";

/** Everything that the page knows from the server, over one socket. */
export class Model {
  readonly builds = new KnownBuilds();
  readonly #rows = new Map<string, BranchRow>();
  readonly #channel = connect<typeof import("../websocket/builds.ts").default>("builds");
  readonly #listener: ModelListener;
  queue: Queue = { count: 0, first: [] };
  repositories: readonly Repository[] = [];
  hasSnapshot = false;
  /** Whether the server has another page than this one by now. */
  isOutdated = false;
  /** Who looks at the page; undefined while that is not known. */
  access: Visitor | undefined;
  /** The server's clock less this one: times are the server's. */
  #skewMs = 0;
  #state: ChannelState = this.#channel.state;
  #stateSinceMs = Date.now();
  #lostMs: number | undefined;
  #isRestart = false;

  constructor(listener: ModelListener) {
    this.#listener = listener;
    this.#channel.on("message", (event) => {
      this.#handleEvent(event);
      listener.handleChange();
    });
    this.#channel.on("state", (state) => {
      this.#handleState(state);
      listener.handleChange();
    });
    this.#channel.on("error", () => listener.handleChange());
  }

  /** The branches by repository, its HEAD first and then the one built last. */
  get rows(): readonly BranchRow[] {
    const order = new Map(this.repositories.map(({ id }, index) => [id, index]));
    const isHead = ({ repositoryId, branch }: BranchRow): number =>
      Number(this.headBranch(repositoryId) === branch);
    return [...this.#rows.values()].toSorted(
      (a, b) =>
        (order.get(a.repositoryId) ?? 0) - (order.get(b.repositoryId) ?? 0) ||
        isHead(b) - isHead(a) ||
        b.build.id - a.build.id,
    );
  }

  row(repositoryId: number, branch: string): BranchRow | undefined {
    return this.#rows.get(keyOf({ repositoryId, branch }));
  }

  headBranch(repositoryId: number): string | null {
    const state = this.repositories.find(({ id }) => id === repositoryId)?.state;
    return state?.type === "reachable" ? state.headBranch : null;
  }

  /** Whether what is shown is how things are. */
  get isLive(): boolean {
    return this.#state.type === "open" || this.#state.type === "draining";
  }

  /** When it was so for the last time. */
  get lostMs(): number | undefined {
    return this.isLive ? undefined : this.#lostMs;
  }

  /** The server's time. Without a connection nobody knows how things go on: it stands still. */
  get nowMs(): number {
    return (this.lostMs ?? Date.now()) + this.#skewMs;
  }

  /** Whether who looks may say what is built. */
  get mayRemove(): boolean {
    return this.access?.role === "admin";
  }

  /** Whether the server takes them no more: their access was taken back, or has expired. */
  get isRefused(): boolean {
    return this.#state.type === "closed" && this.#state.error?.code === "WINDSOCK_REFUSED";
  }

  get indicator(): Indicator {
    return indicatorOf(this.#state, {
      sinceMs: this.#stateSinceMs,
      lostMs: this.#lostMs,
      isRestart: this.#isRestart,
      nowMs: Date.now(),
    });
  }

  /** Asks for a build to be done again or cancelled. Undefined when it was not done; the listener knows why. */
  async ask(what: "rebuild" | "cancel", id: number): Promise<Build | undefined> {
    return this.#call(async () => {
      const answer = await this.#channel.call(what, { id });
      return answer.type === "done" ? { value: answer.build } : answer;
    });
  }

  /** The branches of a repository that did not pass and have no build on its way. */
  toRetry(repositoryId: number): readonly BranchRow[] {
    const queued = this.queue.first.map(({ build }) => build);
    return branchesToRetry([...this.#rows.values()], queued, { repositoryId });
  }

  /** Asks for these to be built again. Undefined when it was not done; the listener knows why. */
  async retryFailed(repositoryId: number): Promise<number | undefined> {
    return this.#call(async () => {
      const answer = await this.#channel.call("retryFailed", { repositoryId });
      return answer.type === "done" ? { value: answer.count } : answer;
    });
  }

  /** Calls the server; what it refuses and what cannot reach it goes to the listener. */
  async #call<Value>(
    call: () => Promise<{ readonly value: Value } | { readonly message: string }>,
  ): Promise<Value | undefined> {
    if (!this.isLive) {
      this.#listener.handleRefusal(noConnection);
      return undefined;
    }
    try {
      const answer = await call();
      if ("value" in answer) return answer.value;
      this.#listener.handleRefusal(answer.message);
    } catch (error) {
      this.#listener.handleRefusal(error instanceof Error ? error.message : String(error));
    }
    return undefined;
  }

  #handleEvent(event: BuildsEvent): void {
    switch (event.type) {
      case "snapshot":
        this.#skewMs = event.nowMs - Date.now();
        this.hasSnapshot = true;
        this.isOutdated = event.pageVersion !== ownVersion();
        if (event.access !== undefined) this.access = event.access;
        this.builds.snapshot(event.builds);
        this.repositories = event.repositories;
        this.#rows.clear();
        for (const row of event.branches) this.#rows.set(keyOf(row), row);
        this.queue = event.queue;
        break;
      case "build": {
        const before = this.builds.get(event.build.id);
        this.builds.change(event.build);
        this.#listener.handleBuild(event.build, before);
        break;
      }
      case "branch": {
        const before = this.#rows.get(keyOf(event.row));
        this.#rows.set(keyOf(event.row), event.row);
        this.#listener.handleRow(event.row, before);
        break;
      }
      case "branchGone":
        this.#rows.delete(keyOf(event));
        break;
      case "queue":
        this.queue = event.queue;
        break;
      case "repository":
        this.repositories = this.repositories.some(({ id }) => id === event.repository.id)
          ? this.repositories.map((one) =>
              one.id === event.repository.id ? event.repository : one,
            )
          : [...this.repositories, event.repository];
        break;
      case "refused":
        this.#listener.handleRefusal(event.message);
        break;
      case "pong":
        break;
    }
  }

  #handleState(state: ChannelState): void {
    // A server that stops has said so; where the page goes on is another one, or the same anew.
    if (state.type === "draining") this.#isRestart = true;
    else if (state.type === "open" && !this.isLive) this.#isRestart = false;
    if (this.isLive && state.type !== "open" && state.type !== "draining")
      this.#lostMs = Date.now();
    this.#state = state;
    this.#stateSinceMs = Date.now();
  }
}

function ownVersion(): string | undefined {
  return document.querySelector<HTMLMetaElement>("meta[name=version]")?.content;
}

function keyOf({ repositoryId, branch }: Pick<BranchRow, "repositoryId" | "branch">): string {
  return `${repositoryId} ${branch}`;
}
