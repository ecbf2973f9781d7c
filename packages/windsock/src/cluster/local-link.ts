import { WindsockError } from "../errors.ts";
import {
  LinkReader,
  LinkWriter,
  type ActorToEdge,
  type EdgeToActor,
  type Numbered,
  type Outlet,
} from "../protocol/port.ts";

/** Carries one numbered message to `deliver`. In order, at least once; when is its own affair. */
export type Carrier = <Message>(
  numbered: Numbered<Message>,
  deliver: (numbered: Numbered<Message>) => void,
) => void;

/** Hands the message over at once, by reference: payloads are never changed after they were posted. */
const directly: Carrier = (numbered, deliver) => deliver(numbered);

/**
 * The port between the edge and the actors of one process.
 *
 * Both ends number what they post and drop repeats, exactly as over a network, so that
 * a carrier which copies, delays and repeats changes nothing (`local-link.test.ts`).
 */
export class LocalLink {
  readonly toActor: Outlet<EdgeToActor>;
  readonly toEdge: Outlet<ActorToEdge>;
  #actor: ((message: EdgeToActor) => void) | undefined;
  #edge: ((message: ActorToEdge) => void) | undefined;

  constructor(carry: Carrier = directly) {
    const atActor = new LinkReader<EdgeToActor>((message) => this.#actor?.(message), hole);
    const atEdge = new LinkReader<ActorToEdge>((message) => this.#edge?.(message), hole);
    this.toActor = new LinkWriter<EdgeToActor>((numbered) =>
      carry(numbered, (carried) => atActor.take(carried)),
    );
    this.toEdge = new LinkWriter<ActorToEdge>((numbered) =>
      carry(numbered, (carried) => atEdge.take(carried)),
    );
  }

  /** Both must be set before the first message is posted. */
  bind(receivers: {
    actor: (message: EdgeToActor) => void;
    edge: (message: ActorToEdge) => void;
  }): void {
    this.#actor = receivers.actor;
    this.#edge = receivers.edge;
  }
}

/** In one process nothing gets lost on the way: a hole is a fault of ours. */
function hole(expected: number, got: number): void {
  throw new WindsockError(`Expected message ${expected} on the local link, got ${got}.`);
}
