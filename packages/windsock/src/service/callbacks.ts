import type { Clock } from "../actor/clock.ts";
import { CallFailedError, CallTimeoutError, InvalidMessageError } from "../errors.ts";
import { closeCode, fitCloseReason } from "../protocol/close-code.ts";
import type { CloseReason, FaultCode, Payload, Private } from "../protocol/port.ts";
import type { Channels } from "./channels.ts";
import type { Committer } from "./commit.ts";
import type { ErasedDefinition } from "./definition.ts";
import type { Effect } from "./effect.ts";
import { detach } from "./encode.ts";
import { readIncoming, readUnchecked } from "./incoming.ts";
import type { Answer, CallMail, ClientCallMail, Mail } from "./mail.ts";
import type { Recorder } from "./recorder.ts";
import { check, type Checked } from "./schema.ts";
import type { ServiceActor } from "./service-actor.ts";
import type { ServiceClient } from "./service-client.ts";
import type { ServiceScope } from "./service-scope.ts";
import type { TurnRunner } from "./turn-runner.ts";
import type { TerminateReason } from "./types.ts";

export interface CallbacksOptions {
  readonly actor: ServiceActor;
  readonly definition: ErasedDefinition;
  readonly turns: TurnRunner;
  readonly committer: Committer;
  readonly channels: Channels;
  /** Of a durable service. */
  readonly recorder: Recorder | undefined;
  readonly clock: Clock;
}

/** Which callback each item of the mailbox leads to, and what has to hold before it is called. */
export class Callbacks {
  readonly #actor: ServiceActor;
  readonly #definition: ErasedDefinition;
  readonly #turns: TurnRunner;
  readonly #options: CallbacksOptions;

  constructor(options: CallbacksOptions) {
    this.#actor = options.actor;
    this.#definition = options.definition;
    this.#turns = options.turns;
    this.#options = options;
  }

  async init(): Promise<void> {
    const { init } = this.#definition;
    if (init !== undefined)
      this.#turns.state = await this.#turns.runPlain("init", init, this.#scope);
  }

  /** Rejects as the callback does. */
  async terminate(reason: TerminateReason): Promise<void> {
    const { terminate } = this.#definition;
    if (terminate !== undefined)
      await this.#turns.runPlain("terminate", terminate, reason, this.#turns.state, this.#scope);
  }

  join(client: ServiceClient): void | Promise<void> {
    if (client.membership !== "joining") return undefined;
    client.membership = "joined";
    const mid = client.line?.mid ?? client.id;
    const { seq } = this.#actor.log;
    const answer = client.joinReason === "rejoin" ? "rejoin" : "new";
    const membership = this.#options.channels.membershipOf(client, answer, []);
    return this.#turns.run(
      "handleJoin",
      this.#definition.handleJoin,
      [client, this.#turns.state, this.#scope],
      {
        joins: client,
        before: [{ type: "joined", mid, seq, ...(membership === undefined ? {} : { membership }) }],
      },
    );
  }

  /** The join of a member in a new incarnation. */
  joinAgain(client: ServiceClient): void | Promise<void> {
    client.joinReason = "restart";
    return this.#turns.run("handleJoin", this.#definition.handleJoin, [
      client,
      this.#turns.state,
      this.#scope,
    ]);
  }

  leave(client: ServiceClient, reason: CloseReason): void | Promise<void> {
    if (client.membership !== "joined") return undefined;
    this.#actor.members.remove(client);
    return this.#turns.run("handleClose", this.#definition.handleClose, [
      client,
      reason,
      this.#turns.state,
      this.#scope,
    ]);
  }

  /** The socket of a `v1` client broke. */
  drop(client: ServiceClient): void | Promise<void> {
    if (client.membership !== "joined") return undefined;
    return this.#turns.run("handleDrop", this.#definition.handleDrop, [
      client,
      this.#turns.state,
      this.#scope,
    ]);
  }

  /** It is back, and missed nothing that it was not told of. */
  resume(client: ServiceClient): void | Promise<void> {
    if (client.membership !== "joined") return undefined;
    return this.#turns.run("handleResume", this.#definition.handleResume, [
      client,
      this.#turns.state,
      this.#scope,
    ]);
  }

  /** Sends these clients the state, as of now. */
  async snapshot(clients: Iterable<ServiceClient>): Promise<void> {
    const { snapshot } = this.#definition;
    if (snapshot === undefined) return;
    const read = (...args: readonly [unknown, ServiceClient?]): Promise<unknown> =>
      this.#turns.read("snapshot", snapshot, ...args);
    // One that does not ask for the client is the same for all.
    const isShared = snapshot.length < 2;
    const shared = isShared ? this.#actor.encoder.encode(await read(this.#turns.state)) : undefined;
    for (const client of clients) {
      if (client.membership !== "joined") continue;
      const payload = shared ?? this.#actor.encoder.encode(await read(this.#turns.state, client));
      const { line } = client;
      if (line === undefined) continue;
      const { seq } = this.#actor.log;
      this.#options.committer.send([{ type: "snapshot", mids: [line.mid], seq, payload }]);
    }
  }

  incoming(client: ServiceClient, n: number, payload: Payload): void | Promise<void> {
    const { incoming: schema, handleIncoming } = this.#definition;
    if (client.membership !== "joined") return undefined;
    if (handleIncoming === undefined) {
      this.#options.committer.dispose(client, n);
      return undefined;
    }
    if (schema === undefined) return this.#checkedIncoming(client, n, readUnchecked(payload));
    const checked = readIncoming(schema, payload);
    if (checked instanceof Promise)
      return this.#turns
        .within("the schema of `incoming`", checked)
        .then((done) => this.#checkedIncoming(client, n, done));
    return this.#checkedIncoming(client, n, checked);
  }

  #checkedIncoming(client: ServiceClient, n: number, checked: Checked): void | Promise<void> {
    if (checked.ok) return this.#incoming(client, n, checked.value);
    if (client.delivery !== undefined) {
      const message = `Expected a message that fits \`incoming\` of ${this.#actor.address}: ${checked.message}.`;
      this.#options.committer.dispose(client, n, { code: "invalid", message });
      return undefined;
    }
    const code = closeCode.invalidPayload;
    const reason = fitCloseReason(`message refused: ${checked.message}`);
    if (client.line !== undefined)
      this.#options.committer.send([{ type: "close", mid: client.line.mid, code, reason }]);
    return this.leave(client, { type: "closed", code, reason });
  }

  #incoming(client: ServiceClient, n: number, message: unknown): void | Promise<void> {
    return this.#turns.run(
      "handleIncoming",
      this.#definition.handleIncoming,
      [client, message, this.#turns.state, this.#scope],
      n === 0 ? undefined : { disposes: { client, n } },
    );
  }

  /** A call of a `v1` client: its answer is a private message, in the same commit. */
  clientCall({ client, n, name, payload, deadline }: ClientCallMail): void | Promise<void> {
    if (client.membership !== "joined") return undefined;
    const { committer, clock } = this.#options;
    const refuse = (code: FaultCode, message: string): undefined => {
      committer.dispose(client, n, { code, message });
      return undefined;
    };
    const { address } = this.#actor;
    if (client.wasCancelled(n)) return refuse("cancelled", `The call \`${name}\` was cancelled.`);
    if (deadline <= clock.now())
      return refuse(
        "timeout",
        `Expected ${address} to answer \`${name}\` in time, got no turn before.`,
      );
    const handler = this.#handlerOf(name);
    if (typeof handler === "string") return refuse("unknown_call", handler);
    const run = (request: unknown): void | Promise<void> =>
      this.#turns.run("handleCall", handler, [client, request, this.#turns.state, this.#scope], {
        deadline,
        disposes: { client, n },
        answered: (outcome, turn) => {
          const item: Private =
            outcome.kind === "reply"
              ? { type: "reply", n, payload: this.#actor.encoder.encode(outcome.value ?? null) }
              : {
                  type: "error",
                  n,
                  code: "down",
                  message: `${address} stopped instead of answering \`${name}\`.`,
                };
          turn.effects.push({ type: "private", client, item });
        },
      });
    const schema = this.#definition.calls[name]?.request;
    const read = readUnchecked(payload);
    if (!read.ok) return refuse("invalid", `Expected a request in JSON: ${read.message}.`);
    const request = read.value;
    // A call without a request comes as null.
    if (schema === undefined) return run(request ?? undefined);
    const proceed = (checked: Checked): void | Promise<void> =>
      checked.ok
        ? run(checked.value)
        : refuse(
            "invalid",
            `Expected a request that fits \`calls.${name}.request\` of ${address}: ${checked.message}.`,
          );
    const checked = check(schema, request);
    return checked instanceof Promise
      ? this.#turns.within(`the schema of \`calls.${name}\``, checked).then(proceed)
      : proceed(checked);
  }

  broadcast({ message, answer }: Extract<Mail, { type: "broadcast" }>): void | Promise<void> {
    return this.#turns.run(
      "handleBroadcast",
      this.#definition.handleBroadcast,
      [message, this.#turns.state, this.#scope],
      { committed: this.#published(answer) },
    );
  }

  publish({ payload, key, answer }: Extract<Mail, { type: "publish" }>): void | Promise<void> {
    return this.#turns.effects([{ type: "publish", topic: "", payload, key }], {
      committed: this.#published(answer),
    });
  }

  #published(answer: Answer<number> | undefined): (() => void) | undefined {
    if (answer === undefined) return undefined;
    return () => {
      const { seq } = this.#actor.log;
      this.#after(answer, () => answer.resolve(seq));
    };
  }

  /** An answer tells of a commit, so it leaves when that is stored. */
  #after(answer: Answer<never>, run: () => void): void {
    const { recorder } = this.#options;
    if (recorder === undefined) run();
    else recorder.after(run, (error) => answer.reject(error));
  }

  info(info: unknown): void | Promise<void> {
    return this.#turns.run("handleInfo", this.#definition.handleInfo, [
      info,
      this.#turns.state,
      this.#scope,
    ]);
  }

  /** Done by code that is in no turn. */
  effects(effects: readonly Effect[]): void | Promise<void> {
    return this.#turns.effects(effects);
  }

  call(mail: CallMail): void | Promise<void> {
    const { name, answer } = mail;
    if (answer.isOver) return undefined;
    const { address } = this.#actor;
    if (mail.deadline <= this.#options.clock.now()) {
      answer.reject(
        new CallTimeoutError(
          `Expected ${address} to answer \`${name}\` in time; its mailbox was too long.`,
        ),
      );
      return undefined;
    }
    const handler = this.#handlerOf(name);
    if (typeof handler === "string") {
      answer.reject(new CallFailedError(handler));
      return undefined;
    }
    const schema = this.#definition.calls[name]?.request;
    if (schema === undefined) return this.#call(mail, handler, mail.request);
    const checked = check(schema, mail.request);
    return checked instanceof Promise
      ? this.#turns
          .within(`the schema of \`calls.${name}\``, checked)
          .then((done) => this.#checkedCall(mail, handler, done))
      : this.#checkedCall(mail, handler, checked);
  }

  /** The handler of a declared call; else a sentence that says which ones there are. */
  #handlerOf(name: string): CallHandler | string {
    const { calls, handleCall } = this.#definition;
    const handler = Object.hasOwn(handleCall, name) ? handleCall[name] : undefined;
    if (handler !== undefined) return handler;
    const known = Object.keys(calls).join(", ") || "none";
    return `Expected a call that ${this.#actor.address} declares (${known}), got \`${name}\`.`;
  }

  #checkedCall(mail: CallMail, handler: CallHandler, checked: Checked): void | Promise<void> {
    if (checked.ok) return this.#call(mail, handler, checked.value);
    mail.answer.reject(
      new InvalidMessageError(
        `Expected a request that fits \`calls.${mail.name}.request\` of ${this.#actor.address}: ${checked.message}.`,
      ),
    );
    return undefined;
  }

  #call(
    { name, deadline, answer }: CallMail,
    handler: CallHandler,
    request: unknown,
  ): void | Promise<void> {
    let value: unknown;
    return this.#turns.run(
      "handleCall",
      handler,
      [undefined, request, this.#turns.state, this.#scope],
      {
        deadline,
        answered: (outcome) => {
          value = outcome.kind === "reply" ? detach(outcome.value, "a reply") : undefined;
        },
        committed: (outcome) => {
          if (outcome?.kind === "reply") this.#after(answer, () => answer.resolve(value));
          else
            answer.reject(
              new CallFailedError(
                `${this.#actor.address} stopped instead of answering \`${name}\`.`,
              ),
            );
        },
      },
    );
  }

  get #scope(): ServiceScope {
    return this.#actor.scope;
  }
}

type CallHandler = ErasedDefinition["handleCall"][string];
