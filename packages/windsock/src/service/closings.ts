import { closeCode } from "../protocol/close-code.ts";
import type { ComeBack, Out } from "../protocol/port.ts";
import type { Channels } from "./channels.ts";
import type { Committer } from "./commit.ts";
import type { Members } from "./members.ts";
import type { ServiceClient } from "./service-client.ts";

export interface ClosingsOptions {
  readonly members: Members;
  readonly channels: Channels;
  readonly committer: Committer;
}

/** Closes clients of the framework's own accord, outside of any turn. */
export class Closings {
  readonly #options: ClosingsOptions;

  constructor(options: ClosingsOptions) {
    this.#options = options;
  }

  /** Closes them and ends their memberships: no `handleClose` follows. */
  close(clients: readonly ServiceClient[], code: number, reason: string): void {
    const present = clients.filter(({ membership }) => membership !== "gone");
    this.tell(present, code, reason);
    for (const client of present) {
      this.#options.channels.forget(client);
      this.#options.members.remove(client);
    }
  }

  /** Closes their sockets or channels only. */
  tell(clients: readonly ServiceClient[], code: number, reason: string): void {
    const comeBack: ComeBack = code === closeCode.policyViolation ? "end" : "retry";
    this.#options.committer.send(
      clients.flatMap(({ line }): Out[] =>
        line === undefined ? [] : [{ type: "close", mid: line.mid, code, reason, comeBack }],
      ),
    );
  }
}
