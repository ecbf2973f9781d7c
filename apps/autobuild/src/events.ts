/** The shape of an emitter's events: a name, and the one value its listeners get. */
export type EventMap = Record<string, unknown>;

/** The reading side of an emitter. */
export interface EventSource<Events extends EventMap> {
  /** Calls `listener` at every later event of that name, until the returned function is called. Needs no `this`. */
  readonly on: <Name extends keyof Events>(
    name: Name,
    listener: (value: Events[Name]) => void,
  ) => () => void;
}

/**
 * A typed emitter whose listeners cannot hurt the one who emits.
 *
 * Listeners run at once and in the order they were added. One that throws is reported to
 * `handleListenerError` and the others still run.
 */
export class Emitter<Events extends EventMap> implements EventSource<Events> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();
  readonly #handleListenerError: (error: unknown) => void;

  constructor(handleListenerError: (error: unknown) => void) {
    this.#handleListenerError = handleListenerError;
  }

  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(value as never);
      } catch (error) {
        this.#handleListenerError(error);
      }
    }
  }
}
