import type { Clock } from "../actor/clock.ts";
import type { CloseReason, EdgeToActor, ResumeData } from "../protocol/port.ts";
import type { Channels, Holder } from "./channels.ts";
import type { Committer } from "./commit.ts";
import type { IdleWatch } from "./idle-watch.ts";
import type { Recorder } from "./recorder.ts";
import type { ServiceActor } from "./service-actor.ts";
import type { Line, ServiceClient } from "./service-client.ts";

export interface IntakeOptions {
  readonly actor: ServiceActor;
  readonly clock: Clock;
  readonly committer: Committer;
  readonly idleWatch: IdleWatch;
  /** Of a durable service. */
  readonly recorder: Recorder | undefined;
}

/** What members do, as edges tell it: who comes and goes, and what they say, on its way into the mailbox. */
export class Intake {
  readonly #actor: ServiceActor;
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#actor = options.actor;
    this.#options = options;
  }

  // ---------- who comes ----------

  /** A membership begins to wait for its `handleJoin`. False: the mailbox is full. */
  join(client: ServiceClient): boolean {
    if (!this.#actor.actor.offer({ type: "join", bytes: 0, client })) return false;
    this.#actor.members.add(client);
    this.#isHere(client.line);
    return true;
  }

  /** As `join`, for one that was admitted already. */
  rejoin(client: ServiceClient): void {
    if (!this.#actor.actor.force({ type: "join", bytes: 0, client })) return;
    this.#actor.members.add(client);
    this.#isHere(client.line);
  }

  /** A `v1` client that was here before. */
  resume(line: Line, data: ResumeData, holder: Holder): ReturnType<Channels["resume"]> {
    const answer = this.#actor.channels.resume(line, data, holder);
    if (answer === "resumed") this.#isHere(line);
    return answer;
  }

  /** A new token was taken: what it says of the user holds from here on. */
  reauthorized(mid: string, user: unknown): void {
    const client = this.#actor.members.at(mid);
    if (client === undefined) return;
    client.user = user;
    this.#options.recorder?.changed(client);
    const changes = this.#actor.presence?.reauthorized(client) ?? [];
    this.#options.committer.send([...changes, { type: "reauthed", mid }]);
  }

  #isHere(line: Line | undefined): void {
    const { actor, address, members } = this.#actor;
    this.#options.idleWatch.cancel();
    if (actor.wasFull && line !== undefined) members.holdAt(line.edge, address);
  }

  // ---------- who goes ----------

  /** The socket of a `v1` client broke. */
  disconnected(mid: string): void {
    const client = this.#actor.members.at(mid);
    if (client !== undefined && !this.#actor.channels.dropped(client))
      this.leave(mid, { type: "lost" });
  }

  leave(mid: string, reason: CloseReason): void {
    const { actor, members } = this.#actor;
    const client = members.at(mid);
    if (client === undefined) return;
    if (client.membership === "joining") {
      // Its join is still in the mailbox and will be skipped: no callback hears of this client.
      members.remove(client);
      return;
    }
    client.isEnding = true;
    actor.force({ type: "leave", bytes: 0, client, reason });
  }

  // ---------- what they say ----------

  // Forced: it was on its way before the edge could hear that the mailbox is full.

  incoming({ mid, n, wireBytes, payload, fault }: Extract<EdgeToActor, { type: "in" }>): void {
    const { actor, channels, members } = this.#actor;
    const client = members.at(mid);
    if (client === undefined || !channels.take(client, n, wireBytes)) return;
    if (fault !== undefined) actor.force({ type: "fault", bytes: 0, client, n, fault });
    else actor.force({ type: "incoming", bytes: payload.bytes.length, client, n, payload });
  }

  /** A call of a `v1` client. */
  call({
    mid,
    n,
    name,
    timeoutMs,
    wireBytes,
    payload,
  }: Extract<EdgeToActor, { type: "call" }>): void {
    const { actor, channels, members } = this.#actor;
    const client = members.at(mid);
    if (client === undefined || !channels.take(client, n, wireBytes)) return;
    const deadline = this.#options.clock.now() + timeoutMs;
    const bytes = payload.bytes.length;
    actor.force({ type: "clientCall", bytes, client, n, name, payload, deadline });
  }
}
