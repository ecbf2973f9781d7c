import type { Limits } from "../protocol/limits.ts";
import type { CloseReason, ComeBack } from "../protocol/port.ts";
import type { AppLog } from "./app-log.ts";
import type { Feed } from "./feed.ts";
import type { InflowHost } from "./inflow.ts";
import type { Member } from "./member.ts";
import type { QueuedBytes } from "./outbox.ts";
import type { Uplink } from "./uplink.ts";

/** What a member asks of its edge. */
export interface MemberHost extends InflowHost {
  readonly limits: Limits;
  readonly uplink: Uplink;
  /** What waits for members alone, over all of them. */
  readonly queued: QueuedBytes;
  /** Time in whole ms, as of the last sweep: exact enough for silence, and free. */
  readonly coarseNow: number;
  /** It has something to write: `pump` follows, together with what else this turn brings. */
  mark(member: Member): void;
  /** Entries of the actor's log in [from, until). `Member.pulled` gets the answer. */
  pull(member: Member, topics: readonly string[], from: number, until: number): void;
  /** The log of the app's that its service has put under this topic. */
  appLog(feed: Feed, topic: string): AppLog;
  left(member: Member, reason: CloseReason): void;
  /** Its socket broke, and it may come back. */
  dropped(member: Member): void;
}

/** The channel that a member of `windsock.v1` is reached on: it ends, and its socket stays. */
export interface MemberChannel {
  close(code: number, reason: string, comeBack: ComeBack | undefined): void;
  /** Without a word: another socket has taken over. */
  forget(): void;
}
