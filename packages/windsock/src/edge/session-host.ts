import type { Limits } from "../protocol/limits.ts";
import type { RequestData, ResumeData } from "../protocol/port.ts";
import type { Channel } from "./channel.ts";
import type { InflowHost } from "./inflow.ts";
import type { Member } from "./member.ts";
import type { Session } from "./session.ts";
import type { Uplink } from "./uplink.ts";

/** A client may join what it named, as this user. */
export type Admitted = Extract<ChannelAdmission, { type: "admit" }>;

/** Whether a client may join what it named, and as whom. */
export type ChannelAdmission =
  | {
      readonly type: "admit";
      readonly address: string;
      readonly request: RequestData;
      readonly user: unknown;
    }
  | {
      readonly type: "refuse";
      readonly code: "not_found" | "refused" | "bad_join";
      readonly message: string;
      readonly status: number;
    };

/** What a session asks of its edge. */
export interface SessionHost extends InflowHost {
  readonly limits: Limits;
  readonly uplink: Uplink;
  readonly coarseNow: number;
  /** Without a promise where nobody has to be asked. */
  admitChannel(
    request: RequestData,
    path: string,
    auth: unknown,
  ): ChannelAdmission | Promise<ChannelAdmission>;
  /** Opens a membership for a channel: it is joined, or refused, later. */
  openChannel(
    session: Session,
    channel: Channel,
    admission: Admitted,
    resume: ResumeData | undefined,
  ): Member;
  sessionOver(session: Session): void;
}
