import type { ErasedDefinition } from "./definition.ts";
import type { Recorder, RestoredMember } from "./recorder.ts";
import type { ServiceActor } from "./service-actor.ts";
import { ServiceClient } from "./service-client.ts";
import { StateCodec } from "./state-codec.ts";

export interface SavedStateOptions {
  readonly actor: ServiceActor;
  readonly state: ErasedDefinition["state"];
  readonly recorder: Recorder;
}

/** A durable state, as it outlives crashes and the process. */
export class SavedState {
  readonly #actor: ServiceActor;
  readonly #state: ErasedDefinition["state"];
  readonly #recorder: Recorder;
  readonly #codec: StateCodec;

  constructor({ actor, state, recorder }: SavedStateOptions) {
    this.#actor = actor;
    this.#state = state;
    this.#recorder = recorder;
    this.#codec = new StateCodec((id) => actor.members.get(id) ?? goneClient(actor, id));
  }

  /** Whether there is one: an incarnation goes on with it instead of beginning anew. */
  get exists(): boolean {
    return this.#recorder.lastState !== undefined;
  }

  /** Part of every commit. Throws when the state holds what cannot be copied. */
  save(state: unknown): void {
    const { save } = this.#state;
    const saved = save === undefined ? state : save(state);
    this.#recorder.stateIs(this.#codec.save(saved, this.#actor.address));
  }

  /** The state as of the last commit. */
  load(): unknown {
    const bytes = this.#recorder.lastState;
    if (bytes === undefined) return undefined;
    const { load } = this.#state;
    const saved = this.#codec.load(bytes);
    return load === undefined ? saved : load(saved);
  }
}

/** Gives an actor the members that were stored. Their sockets died with the process, so their grace begins. */
export function restoreMembers(actor: ServiceActor, members: readonly RestoredMember[]): void {
  for (const member of members) {
    const client = new ServiceClient(actor, member.data, member.delivery);
    client.line = undefined;
    client.membership = "joined";
    client.user = member.user;
    client.subscriptions.restore(member.followed, member.leavesOwnLog);
    actor.members.add(client);
    actor.presence?.joined(client);
    if (member.delivery !== undefined) actor.channels.giveGrace(client);
    else actor.actor.force({ type: "leave", bytes: 0, client, reason: { type: "lost" } });
  }
}

/** A client that a saved state knows and that is gone. */
function goneClient(actor: ServiceActor, mid: string): ServiceClient {
  const client = new ServiceClient(actor, {
    mid,
    edge: "",
    sessionId: "",
    protocol: "",
    request: { url: "http://localhost/", rawHeaders: [], remoteAddress: "" },
    user: undefined,
    params: actor.params,
  });
  client.membership = "gone";
  return client;
}
