import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock, Timer } from "./clock.ts";
import { Mailbox, type MailboxLimits, type MailItem } from "./mailbox.ts";
import { RestartBudget, type RestartDecision, type RestartLimits } from "./restart-budget.ts";

/**
 * What an actor does. The actor calls one of these at a time and awaits what it returns.
 * `start` and `handle` may throw or reject: that is a crash. The others must not.
 */
export interface Behaviour<Item> {
  /** Begins an incarnation: initial state, replay of members. Called before any `handle`. */
  start(generation: number): void | Promise<void>;
  /** One turn. */
  handle(item: Item): void | Promise<void>;
  /** A crash ended the incarnation: report it and clean up. `start` or `down` follows. */
  crashed(error: unknown, item: Item | undefined): void | Promise<void>;
  /** Whether a crash is of nobody's budget: something else bounds how often such items come. Absent: none is. */
  isForgiven?(error: unknown, item: Item | undefined): boolean;
  /** The restart budget is spent: refuse what comes, for `retryAfterMs`. `items` is what the mailbox held. */
  down(retryAfterMs: number, items: readonly Item[]): void;
  /** The mailbox is empty and no turn runs. */
  idle(): void;
  /** The actor ended in order, with what its mailbox still held. Nothing is called after it. */
  stopped(items: readonly Item[]): void;
  /** The mailbox has become full: hold back what can be held back. */
  full(): void;
  /** The mailbox, once full, is at most half full again, or given up. */
  ready(): void;
}

/**
 * ```
 *   start()                                   stop()
 *  ──────► starting ──────► running ─────────────────► stopped
 *             ▲ │ crash       │ crash                    ▲
 *             │ ▼             ▼                          │
 *          restarting ◄───────┘                          │
 *             │ budget spent         stop()              │
 *             └──────► down ─────────────────────────────┘
 *                        └─ after the back-off: starting
 * ```
 */
export type ActorState = "new" | "starting" | "running" | "restarting" | "down" | "stopped";

export interface ActorLimits extends MailboxLimits, RestartLimits {}

/** After so many turns in one round of the event loop the others get theirs: sockets and other actors must not wait. */
const turnsPerSlice = 200;

/** Counts rounds of the event loop in which an actor ran: one callback a round for all of them. */
class Rounds {
  #round = 1;
  #isRunning = false;

  /** Never 0. */
  get current(): number {
    if (!this.#isRunning) {
      this.#isRunning = true;
      setImmediate(this.#over);
    }
    return this.#round;
  }

  readonly #over = (): void => {
    this.#isRunning = false;
    this.#round += 1;
  };
}

const rounds = new Rounds();

/** Actors run in no context of whoever posts to them: neither its trace nor its turn is theirs. */
const inNoContext = AsyncLocalStorage.snapshot();

/** A mailbox and the one who empties it: one item at a time, an async turn awaited before the next. */
export class Actor<Item extends MailItem> {
  readonly mailbox: Mailbox<Item>;
  readonly #behaviour: Behaviour<Item>;
  readonly #clock: Clock;
  readonly #budget: RestartBudget;
  readonly #restartWindowMs: number;
  #state: ActorState = "new";
  #generation = 0;
  #busy = false;
  #scheduled = false;
  /** The round of the event loop that it ran in last, and its turns in it. */
  #round = 0;
  #turnsInRound = 0;
  #wasFull = false;
  #stopAsked = false;
  #downTimer: Timer | undefined;
  #startedAt = 0;
  #retryAt = 0;
  #idleWaiters: (() => void)[] = [];
  #roomWaiters: (() => void)[] = [];

  /** `limits` are kept, and shared by all actors of a service. */
  constructor(behaviour: Behaviour<Item>, limits: ActorLimits, clock: Clock) {
    this.#behaviour = behaviour;
    this.#clock = clock;
    this.#budget = new RestartBudget(limits);
    this.#restartWindowMs = limits.restartWindowMs;
    this.mailbox = new Mailbox<Item>(limits);
  }

  get state(): ActorState {
    return this.#state;
  }

  /** Counts incarnations, from 1. */
  get generation(): number {
    return this.#generation;
  }

  /** Time until a `down` actor is tried again, in ms. */
  get retryAfterMs(): number {
    return Math.max(0, this.#retryAt - this.#clock.now());
  }

  /** No turn is running and none is due. */
  get isIdle(): boolean {
    return !this.#busy && this.mailbox.size === 0;
  }

  start(): void {
    if (this.#state === "new") inNoContext(() => this.#begin());
  }

  /** Puts an item into the mailbox. False: it is full, or the actor takes none. */
  offer(item: Item): boolean {
    if (!this.#takes() || !this.mailbox.offer(item)) return false;
    this.#entered(this.#runInNoContext);
    return true;
  }

  /**
   * Puts an item in even if the mailbox is full. False: the actor takes none.
   * For the framework's own code, in no context of the app's: that spares 90 ns a message.
   */
  force(item: Item): boolean {
    if (!this.#takes()) return false;
    this.mailbox.force(item);
    this.#entered(this.#run);
    return true;
  }

  /** Ends the actor once the running turn is over; what is left in the mailbox goes to `stopped`. */
  stop(): void {
    if (this.#state === "stopped" || this.#stopAsked) return;
    this.#stopAsked = true;
    if (!this.#busy) inNoContext(() => this.#finish());
  }

  /** Resolves when the mailbox is empty and no turn runs; at once if that is so, or if the actor takes nothing. */
  idle(): Promise<void> {
    if (this.isIdle || !this.#takes()) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Resolves when the mailbox has room, or when the actor takes nothing any more. */
  room(): Promise<void> {
    if (!this.mailbox.isFull || !this.#takes()) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Whether the mailbox crossed its bound and has not yet called `ready`. */
  get wasFull(): boolean {
    return this.#wasFull;
  }

  #takes(): boolean {
    return this.#state !== "down" && this.#state !== "stopped" && !this.#stopAsked;
  }

  #entered(run: () => void): void {
    if (this.mailbox.isFull && !this.#wasFull) {
      this.#wasFull = true;
      this.#behaviour.full();
    }
    this.#schedule(run);
  }

  #schedule(run: () => void = this.#run): void {
    if (this.#scheduled || this.#busy || this.#state !== "running") return;
    this.#scheduled = true;
    queueMicrotask(run);
  }

  readonly #runInNoContext = (): void => inNoContext(this.#run);

  readonly #run = (): void => {
    this.#scheduled = false;
    const round = rounds.current;
    if (this.#round !== round) {
      this.#round = round;
      this.#turnsInRound = 0;
    }
    while (this.#state === "running" && !this.#busy && !this.#stopAsked) {
      // Counted over all runs of a round: a turn that awaits ends one, and microtasks alone would
      // starve the loop. Counted beyond it, a pause would come in the middle of a burst, and the
      // edge would write what there is so far.
      if (this.#turnsInRound === turnsPerSlice) {
        this.#scheduled = true;
        setImmediate(this.#run);
        return;
      }
      const item = this.mailbox.shift();
      if (item === undefined) break;
      this.#turnsInRound += 1;
      if (this.#wasFull && this.mailbox.hasRoom) this.#ready();
      this.#turn(item);
    }
    this.#settled();
  };

  #ready(): void {
    this.#wasFull = false;
    this.#behaviour.ready();
    wake(this.#roomWaiters);
  }

  #turn(item: Item): void {
    this.#busy = true;
    let pending: void | Promise<void>;
    try {
      pending = this.#behaviour.handle(item);
    } catch (error) {
      this.#crash(error, item);
      return;
    }
    if (pending === undefined) {
      this.#busy = false;
      return;
    }
    pending.then(
      () => {
        this.#busy = false;
        this.#schedule();
        this.#settled();
      },
      (error: unknown) => this.#crash(error, item),
    );
  }

  #settled(): void {
    if (this.#busy) return;
    if (this.#stopAsked) this.#finish();
    else if (this.#state === "running" && !this.#scheduled && this.mailbox.size === 0)
      this.#behaviour.idle();
    if (this.#idleWaiters.length > 0 && (this.mailbox.size === 0 || !this.#takes())) {
      wake(this.#idleWaiters);
    }
  }

  #begin(): void {
    this.#state = "starting";
    this.#generation += 1;
    this.#busy = true;
    let pending: void | Promise<void>;
    try {
      pending = this.#behaviour.start(this.#generation);
    } catch (error) {
      this.#crash(error, undefined);
      return;
    }
    if (pending === undefined) this.#started();
    else
      pending.then(
        () => this.#started(),
        (error: unknown) => this.#crash(error, undefined),
      );
  }

  #started(): void {
    this.#busy = false;
    this.#state = "running";
    this.#startedAt = this.#clock.now();
    this.#schedule();
    this.#settled();
  }

  #crash(error: unknown, item: Item | undefined): void {
    if (this.#state === "running" && this.#clock.now() - this.#startedAt > this.#restartWindowMs)
      this.#budget.recovered();
    this.#state = "restarting";
    this.#busy = true;
    const isForgiven = this.#behaviour.isForgiven?.(error, item) === true;
    const cleaned = this.#behaviour.crashed(error, item);
    if (cleaned === undefined) this.#afterCrash(isForgiven);
    else void cleaned.then(() => this.#afterCrash(isForgiven));
  }

  #afterCrash(isForgiven: boolean): void {
    this.#busy = false;
    if (this.#stopAsked) {
      this.#finish();
      return;
    }
    const decision: RestartDecision = isForgiven
      ? { type: "restart" }
      : this.#budget.spend(this.#clock.now());
    if (decision.type === "restart") {
      // Not from within the crash: a start that fails at once must not deepen the stack.
      queueMicrotask(() => {
        if (this.#state === "restarting" && !this.#stopAsked) this.#begin();
        else this.#settled();
      });
      return;
    }
    this.#state = "down";
    this.#retryAt = this.#clock.now() + decision.retryAfterMs;
    const items = this.mailbox.drain();
    if (this.#wasFull) this.#ready();
    this.#behaviour.down(decision.retryAfterMs, items);
    this.#settled();
    this.#downTimer = this.#clock.setTimeout(() => {
      if (this.#state === "down") this.#begin();
    }, decision.retryAfterMs);
  }

  #finish(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#downTimer?.cancel();
    const items = this.mailbox.drain();
    if (this.#wasFull) this.#ready();
    this.#behaviour.stopped(items);
    wake(this.#idleWaiters);
  }
}

function wake(waiters: (() => void)[]): void {
  for (const resolve of waiters.splice(0)) resolve();
}
