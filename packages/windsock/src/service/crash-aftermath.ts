import type { Clock } from "../actor/clock.ts";
import { CallFailedError } from "../errors.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { Channels } from "./channels.ts";
import type { Closings } from "./closings.ts";
import type { Committer } from "./commit.ts";
import { refuse, type Mail } from "./mail.ts";

export interface CrashAftermathOptions {
  readonly address: string;
  readonly clock: Clock;
  readonly committer: Committer;
  readonly channels: Channels;
  readonly closings: Closings;
  /** `onCrash: "keep"`: the state from before the turn stays, and knows its clients. */
  readonly keepsState: boolean;
  /** A durable state: the next incarnation goes on with it, and neither joins anybody again nor says a snapshot. */
  readonly loadsState: boolean;
}

type LeaveMail = Extract<Mail, { type: "leave" }>;

/** What a crash means for whoever sent the item that led to it. */
export class CrashAftermath {
  readonly #options: CrashAftermathOptions;

  constructor(options: CrashAftermathOptions) {
    this.#options = options;
  }

  /** Gives the end of a client that has caused too many: a state that stays has to hear of it. */
  follow(mail: Mail): LeaveMail | undefined {
    const { address, channels, closings, keepsState, loadsState } = this.#options;
    const message = `${address} crashed while it handled this.`;
    refuse(mail, new CallFailedError(message));
    switch (mail.type) {
      case "join":
        closings.close([mail.client], closeCode.internalError, "joining failed");
        return undefined;
      case "incoming":
      case "clientCall":
        this.#options.committer.dispose(mail.client, mail.n, { code: "crashed", message });
        return this.#strike(mail.client);
      case "snapshot":
        // They are held back until a snapshot says from where they go on.
        if (keepsState || loadsState)
          for (const client of mail.clients) channels.expel(client, "its snapshot failed");
        return undefined;
      default:
        return undefined;
    }
  }

  /** Three in a minute are too many. */
  #strike(client: LeaveMail["client"]): LeaveMail | undefined {
    const { clock, closings, keepsState } = this.#options;
    if (!client.crashed(clock.now())) return undefined;
    const code = closeCode.policyViolation;
    const reason = "its messages crashed the service three times in a minute";
    if (keepsState) closings.tell([client], code, reason);
    else closings.close([client], code, reason);
    return { type: "leave", bytes: 0, client, reason: { type: "closed", code, reason } };
  }
}
