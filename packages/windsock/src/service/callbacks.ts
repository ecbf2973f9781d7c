import type { Clock } from "../actor/clock.ts";
import { CallFailedError, CallTimeoutError, InvalidMessageError } from "../errors.ts";
import { closeCode, fitCloseReason } from "../protocol/close-code.ts";
import type { CloseReason, Payload } from "../protocol/port.ts";
import type { Committer } from "./commit.ts";
import type { ErasedDefinition } from "./define-service.ts";
import type { Effect } from "./effect.ts";
import { detach } from "./encode.ts";
import { readIncoming, readUnchecked } from "./incoming.ts";
import type { Answer, CallMail, Mail } from "./mail.ts";
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
    return this.#turns.run(
      "handleJoin",
      this.#definition.handleJoin,
      [client, this.#turns.state, this.#scope],
      { before: [{ type: "joined", mid: client.id, seq: this.#actor.log.seq }] },
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

  incoming(client: ServiceClient, payload: Payload): void | Promise<void> {
    const { incoming: schema, handleIncoming } = this.#definition;
    if (client.membership !== "joined" || handleIncoming === undefined) return undefined;
    if (schema === undefined) return this.#incoming(client, readUnchecked(payload));
    const checked = readIncoming(schema, payload);
    if (checked instanceof Promise)
      return this.#turns
        .within("the schema of `incoming`", checked)
        .then((done) => this.#checkedIncoming(client, done));
    return this.#checkedIncoming(client, checked);
  }

  #checkedIncoming(client: ServiceClient, checked: Checked): void | Promise<void> {
    if (checked.ok) return this.#incoming(client, checked.value);
    const code = closeCode.invalidPayload;
    const reason = fitCloseReason(`message refused: ${checked.message}`);
    this.#options.committer.send([{ type: "close", mid: client.id, code, reason }]);
    return this.leave(client, { type: "closed", code, reason });
  }

  #incoming(client: ServiceClient, message: unknown): void | Promise<void> {
    return this.#turns.run("handleIncoming", this.#definition.handleIncoming, [
      client,
      message,
      this.#turns.state,
      this.#scope,
    ]);
  }

  broadcast({ message, answer }: Extract<Mail, { type: "broadcast" }>): void | Promise<void> {
    return this.#turns.run(
      "handleBroadcast",
      this.#definition.handleBroadcast,
      [message, this.#turns.state, this.#scope],
      { committed: this.#published(answer) },
    );
  }

  publish({ payload, answer }: Extract<Mail, { type: "publish" }>): void | Promise<void> {
    return this.#turns.effects([{ type: "publish", topic: "", payload }], {
      committed: this.#published(answer),
    });
  }

  #published(answer: Answer<number> | undefined): (() => void) | undefined {
    return answer === undefined ? undefined : () => answer.resolve(this.#actor.log.seq);
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
    const { calls, handleCall } = this.#definition;
    const handler = Object.hasOwn(handleCall, name) ? handleCall[name] : undefined;
    if (handler === undefined) {
      const known = Object.keys(calls).join(", ") || "none";
      answer.reject(
        new CallFailedError(
          `Expected a call that ${address} declares (${known}), got \`${name}\`.`,
        ),
      );
      return undefined;
    }
    const schema = calls[name]?.request;
    if (schema === undefined) return this.#call(mail, handler, mail.request);
    const checked = check(schema, mail.request);
    return checked instanceof Promise
      ? this.#turns
          .within(`the schema of \`calls.${name}\``, checked)
          .then((done) => this.#checkedCall(mail, handler, done))
      : this.#checkedCall(mail, handler, checked);
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
          if (outcome?.kind === "reply") answer.resolve(value);
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
