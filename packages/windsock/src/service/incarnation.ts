import type { Clock } from "../actor/clock.ts";
import { WindsockError } from "../errors.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { Callbacks } from "./callbacks.ts";
import type { Closings } from "./closings.ts";
import type { Committer } from "./commit.ts";
import type { Reporter } from "./reporter.ts";
import type { SavedState } from "./saved-state.ts";
import type { ServiceActor } from "./service-actor.ts";
import { ServiceScope } from "./service-scope.ts";
import type { TurnRunner } from "./turn-runner.ts";
import type { TerminateReason } from "./types.ts";

export interface IncarnationOptions {
  readonly actor: ServiceActor;
  readonly clock: Clock;
  readonly turns: TurnRunner;
  readonly callbacks: Callbacks;
  readonly committer: Committer;
  readonly closings: Closings;
  readonly reporter: Reporter;
  /** Of a durable state. */
  readonly saved: SavedState | undefined;
  /** `onCrash: "keep"`: a join that fails leaves the state as it was. */
  readonly keepsState: boolean;
}

/** A replay that keeps losing clients is given up after so many passes; that counts as one crash. */
const maxReplayPasses = 3;

/** The present incarnation of an actor, from `init` to `terminate`: what it begins with, and whether it has. */
export class Incarnation {
  readonly #options: IncarnationOptions;
  #scope: ServiceScope;
  #hasBegun = false;

  constructor(options: IncarnationOptions) {
    this.#options = options;
    this.#scope = new ServiceScope(options.actor);
  }

  /** What its callbacks get as `service`. */
  get scope(): ServiceScope {
    return this.#scope;
  }

  /** `init` has given it its state, and `terminate` has not run. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** A new one. `isFirst`: nobody knows of any before. */
  async begin(isFirst: boolean): Promise<void> {
    const { actor, callbacks, clock, committer, saved, turns } = this.#options;
    this.#scope = new ServiceScope(actor);
    if (saved?.exists === true) {
      // `init` sets up what is no state: logs, timers. Its state gives way to the saved one.
      await callbacks.init();
      // Before the load, which is code of the app: what `init` has set up is for `terminate` to end.
      this.#hasBegun = true;
      turns.state = saved.load();
      return;
    }
    if (!isFirst)
      committer.send([{ type: "restarted", seq: actor.log.appendRestarted(clock.now()) }]);
    for (let pass = 1; ; pass++) {
      turns.state = undefined;
      await callbacks.init();
      this.#hasBegun = true;
      saved?.save(turns.state);
      const lost = await this.#replay();
      if (lost === undefined) break;
      if (pass === maxReplayPasses)
        throw new WindsockError(
          `Expected \`handleJoin\` to take the members of ${actor.address} back, got ${pass} replays that lost some.`,
          { cause: lost.error },
        );
      // The state may have seen half of a join: it is given up, as after a crash.
      await this.end({ type: "error", error: lost.error });
      this.#scope = new ServiceScope(actor);
    }
    // Who applies changes would take the new state's for the old one's.
    const reached = [...actor.members.joined()].filter(({ delivery }) => delivery !== undefined);
    if (!isFirst && reached.length > 0) await callbacks.snapshot(reached);
  }

  /** Its end in order: `terminate`, if it has begun. Never rejects. */
  async end(reason: TerminateReason): Promise<void> {
    if (this.#hasBegun) {
      this.#hasBegun = false;
      try {
        await this.#options.callbacks.terminate(reason);
      } catch (error) {
        this.#options.reporter.failure(error, "terminate");
      }
    }
    this.#scope.end();
  }

  /** Joins the members again. What it gives: one threw, is gone, and may have left half of its join in the state. */
  async #replay(): Promise<{ readonly error: unknown } | undefined> {
    const { actor, callbacks, closings, committer, keepsState, reporter } = this.#options;
    let lost: { readonly error: unknown } | undefined;
    for (const client of actor.members.all()) {
      if (client.membership !== "joined") continue;
      try {
        committer.beginReplay(client);
        await callbacks.joinAgain(client);
        committer.endReplay(client);
      } catch (error) {
        if (!keepsState) lost = { error };
        reporter.failure(error, "handleJoin", client);
        closings.close([client], closeCode.internalError, "joining again failed");
      }
    }
    return lost;
  }
}
