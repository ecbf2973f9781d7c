import { serialize } from "node:v8";
import type { Clock, Timer } from "../actor/clock.ts";
import type { Log } from "../log/log.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { ServiceLimits } from "../protocol/limits.ts";
import type { Membership, RequestData, ResumeData } from "../protocol/port.ts";
import type { Committer } from "./commit.ts";
import type { KeptPrivate } from "./delivery.ts";
import type { DroppedClients } from "./dropped-clients.ts";
import type { Mail } from "./mail.ts";
import type { Members } from "./members.ts";
import type { Presence } from "./presence.ts";
import type { Recorder } from "./recorder.ts";
import type { Line, ServiceClient } from "./service-client.ts";

export interface ChannelsOptions {
  readonly limits: ServiceLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly members: Members;
  readonly committer: Committer;
  /** All of the process that wait for their clients. */
  readonly dropped: DroppedClients;
  /** Of a durable service. */
  readonly recorder: Recorder | undefined;
  /** Of a service that tells who is there. */
  readonly presence: Presence | undefined;
  /** Whether the service can say its state in place of a log that is gone. */
  readonly hasSnapshot: boolean;
  /** Whether the mailbox is at most half full: members may send more. */
  readonly hasRoom: () => boolean;
  /** Puts an item into the mailbox, full or not. */
  readonly force: (mail: Mail) => void;
}

/** Who shows a token. */
export interface Holder {
  readonly user: unknown;
  readonly request: RequestData;
}

/**
 * What `windsock.v1` adds to memberships: they outlive their sockets.
 *
 * ```
 *             socket breaks                grace is over
 *   connected ─────────────► dropped ─────────────────────► gone (`handleClose`)
 *       ▲                       │
 *       └───────────────────────┘
 *        resumed, or a snapshot
 * ```
 */
export class Channels {
  readonly #options: ChannelsOptions;
  #graces: Map<ServiceClient, Timer> | undefined;
  /** Whose messages were done while the mailbox had no room for more of them. */
  #owed: Set<ServiceClient> | undefined;
  /** Those for whom a snapshot stands in the mailbox: one for all that come while it does. */
  #awaitSnapshot: Set<ServiceClient> | undefined;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /** What the join of a `v1` client answers; undefined for a plain one. */
  membershipOf(
    client: ServiceClient,
    answer: Membership["answer"],
    privates: readonly KeptPrivate[],
    shownSecret?: string,
  ): Membership | undefined {
    const { delivery } = client;
    if (delivery === undefined) return undefined;
    this.#options.recorder?.changed(client);
    return {
      answer,
      id: client.id,
      token: `${client.id}.${delivery.rotate(shownSecret)}`,
      count: delivery.count,
      done: delivery.done,
      credit: delivery.reset(),
      graceMs: this.#options.limits.graceMs,
      params: client.params,
      // Of a log of the app's it may not be known yet from where: its `follow` comes when it is.
      topics: client.followed.filter(({ start, isAppLog }) => start !== undefined || !isAppLog),
      leavesOwnLog: client.leavesOwnLog,
      privates: privates.map(({ after, message }) => ({ after, item: message.item })),
    };
  }

  /** The socket of this line broke. False: there is nothing to keep, the client is gone. */
  dropped(client: ServiceClient): boolean {
    if (client.delivery === undefined || client.membership !== "joined") return false;
    if (client.isEnding) return true;
    this.#options.members.disconnect(client);
    this.#options.force({ type: "drop", bytes: 0, client });
    this.giveGrace(client);
    return true;
  }

  /** Its socket is gone, just now or with the process before: it has some time to come back. */
  giveGrace(client: ServiceClient): void {
    const { clock, dropped, limits } = this.#options;
    this.forget(client);
    (this.#graces ??= new Map()).set(
      client,
      clock.setTimeout(() => this.#end(client), limits.graceMs),
    );
    dropped.add(client, () => this.#end(client));
  }

  /**
   * A client that was here before is back on this line. Answers at once, ahead of the
   * mailbox. `rejoin`: its membership is gone, or a part of what it missed is: it must join
   * anew. `late`: another socket of this client has done so since.
   */
  resume(line: Line, data: ResumeData, holder: Holder): "resumed" | "rejoin" | "late" {
    const { members, log, committer, presence, force } = this.#options;
    const [id = "", secret = ""] = data.token.split(".");
    const client = members.get(id);
    const delivery = client?.delivery;
    if (client === undefined || delivery === undefined) return "rejoin";
    if (client.membership !== "joined" || client.isEnding) return "rejoin";
    if (!delivery.owns(secret) || !isSameUser(client.user, holder.user)) return "rejoin";
    if (originOf(client.data.request) !== originOf(holder.request)) return "rejoin";
    if (delivery.isLate(line, secret)) return "late";
    if (data.epoch !== log.epoch) {
      // Its log has another name now: what it has and what comes are not one order.
      this.#end(client);
      return "rejoin";
    }
    const privates = delivery.since(data.count);
    const isWhole = privates !== undefined && this.#hasLog(client, data);
    if (!isWhole && (privates === undefined || !this.#options.hasSnapshot)) {
      // It joins anew; what it was is over now.
      this.#end(client);
      return "rejoin";
    }
    this.#replaceLine(client, line);
    delivery.resumedOn(line);
    delivery.ack(data.count);
    this.#options.recorder?.trimmed(client, delivery.acked);
    const answer = isWhole ? "resumed" : "snapshot";
    this.#place(client, data.tails);
    const membership = this.membershipOf(client, answer, privates, secret);
    if (membership === undefined) return "rejoin";
    // It stands where it said until it has the snapshot: a cut may come before that.
    const where = { mid: line.mid, seq: Math.min(data.seq, log.seq), head: log.seq };
    committer.send([{ type: "joined", ...where, membership, isHeld: !isWhole }]);
    if (!isWhole || this.#missesState(data)) this.#askSnapshot(client);
    if (presence !== undefined) committer.send([presence.everybody(line.mid)]);
    force({ type: "resume", bytes: 0, client });
    return "resumed";
  }

  /** The log has moved past a client that reads too slowly. */
  behind(client: ServiceClient): void {
    if (client.line === undefined) return;
    if (this.#options.hasSnapshot) this.#askSnapshot(client);
    else this.expel(client, "the log has moved past its position");
  }

  /** It has no place behind others: whenever its turn comes, it is the state as of then, and what follows comes from the log. */
  #askSnapshot(client: ServiceClient): void {
    if (this.#awaitSnapshot !== undefined) {
      this.#awaitSnapshot.add(client);
      return;
    }
    const clients = new Set([client]);
    this.#awaitSnapshot = clients;
    this.#options.force({ type: "snapshot", bytes: 0, clients });
  }

  /** It is out of the mailbox: who asks from here on is due another. */
  snapshotTaken(): void {
    this.#awaitSnapshot = undefined;
  }

  /** It cannot go on from where it is: it joins anew. */
  expel(client: ServiceClient, reason: string): void {
    if (client.line === undefined) return;
    this.#options.committer.send([
      {
        type: "close",
        mid: client.line.mid,
        code: closeCode.tryAgainLater,
        reason,
        comeBack: "rejoin",
      },
    ]);
    this.#end(client);
  }

  /** A message of a client. False: it is not to be handled. */
  take(client: ServiceClient, n: number, wireBytes: number): boolean {
    const { delivery, line } = client;
    if (delivery === undefined) return n === 0;
    const { committer } = this.#options;
    switch (delivery.take(n, wireBytes)) {
      case "take":
        return true;
      case "repeat":
        // The client has not seen that it was done.
        if (line !== undefined && n <= delivery.done)
          committer.send([{ type: "done", mid: line.mid, n: delivery.done }]);
        return false;
      case "hole":
        this.#refuse(
          client,
          closeCode.protocolError,
          `expected message ${delivery.received + 1}, got ${n}`,
        );
        return false;
      case "over-credit":
        this.#refuse(client, closeCode.policyViolation, "sent more than its credit");
        return false;
    }
  }

  acked(client: ServiceClient, count: number): void {
    const { delivery } = client;
    if (delivery === undefined) return;
    delivery.heard();
    delivery.ack(count);
    this.#options.recorder?.trimmed(client, delivery.acked);
  }

  /** A message of it is done. While the mailbox is more than half full it gets no more credit, but is owed some. */
  creditFor(client: ServiceClient): number | undefined {
    if (this.#options.hasRoom()) return client.delivery?.grant();
    (this.#owed ??= new Set()).add(client);
    return undefined;
  }

  /** Called before each turn: who is owed credit gets it as soon as there is room. */
  settleCredit(): void {
    if (this.#owed === undefined || this.#owed.size === 0 || !this.#options.hasRoom()) return;
    for (const client of this.#owed) {
      const bytes = client.line === undefined ? undefined : client.delivery?.grant();
      if (bytes !== undefined && client.line !== undefined)
        this.#options.committer.send([{ type: "credit", mid: client.line.mid, bytes }]);
    }
    this.#owed.clear();
  }

  /** It is gone: nothing waits for it any more. */
  forget(client: ServiceClient): void {
    const grace = this.#graces?.get(client);
    if (grace === undefined) return;
    grace.cancel();
    this.#graces?.delete(client);
    this.#options.dropped.delete(client);
  }

  /** The actor ends: no grace outlives it. */
  clear(): void {
    for (const client of this.#graces?.keys() ?? []) this.forget(client);
  }

  #refuse(client: ServiceClient, code: number, reason: string): void {
    if (client.line !== undefined)
      this.#options.committer.send([
        { type: "close", mid: client.line.mid, code, reason, comeBack: "end" },
      ]);
    this.#end(client);
  }

  /** Another socket takes over: the one before is told, and heard no more. */
  #replaceLine(client: ServiceClient, line: Line): void {
    const { members, committer } = this.#options;
    this.forget(client);
    if (client.line !== undefined) {
      committer.send([{ type: "detached", mid: client.line.mid }]);
      members.disconnect(client);
    }
    members.connect(client, line);
  }

  /** Logs of the app's whose end was not known when the client was cut: it may have had something since, or asks again. */
  #place(client: ServiceClient, tails: ResumeData["tails"]): void {
    const { committer } = this.#options;
    for (const { topic, start, isAppLog } of client.followed) {
      if (start !== undefined || !isAppLog) continue;
      const tail = Object.hasOwn(tails, topic) ? tails[topic] : undefined;
      if (tail === undefined) void committer.followFromEnd(client, topic);
      else client.subscriptions.place(topic, tail);
    }
  }

  /** The state may have begun anew while it was away: those who were there had a snapshot of it. */
  #missesState({ seq }: ResumeData): boolean {
    const { log, hasSnapshot } = this.#options;
    return hasSnapshot && log.lastRestart > 0 && seq <= log.lastRestart;
  }

  /** Whether the log has all that the client is to get. */
  #hasLog(client: ServiceClient, { seq, tails }: ResumeData): boolean {
    const { log } = this.#options;
    if (seq > log.seq) return false;
    const isKept = (topic: string, position: number): boolean => log.firstOf(topic) <= position + 1;
    if (!client.leavesOwnLog && !isKept("", seq)) return false;
    return client.followed.every(({ topic, start = seq, at, isAppLog }) => {
      if (isAppLog) return true;
      if (Object.hasOwn(tails, topic)) return isKept(topic, Math.min(tails[topic] ?? seq, seq));
      return isKept(topic, seq <= at ? start : seq);
    });
  }

  /** `handleClose` comes next for it. */
  #end(client: ServiceClient): void {
    this.forget(client);
    client.isEnding = true;
    this.#options.members.disconnect(client);
    this.#options.force({ type: "leave", bytes: 0, client, reason: { type: "lost" } });
  }
}

function isSameUser(before: unknown, after: unknown): boolean {
  return before === after || serialize(before).equals(serialize(after));
}

/** Of the page; undefined for what is no browser. The gateway takes one `Origin` at most. */
function originOf({ rawHeaders }: RequestData): string | undefined {
  const index = rawHeaders.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === "origin");
  return index < 0 ? undefined : rawHeaders[index + 1];
}
