/** Every error that Windsock throws or hands to `onReport`: one class each, with a stable `code`. */
export type ErrorCode = `WINDSOCK_${string}`;

/** The base of all errors of this package. */
export class WindsockError extends Error {
  /** Stable across releases: programs switch on this, never on the message. */
  readonly code: ErrorCode = "WINDSOCK_ERROR";
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An option has a value that it cannot have. */
export class OptionError extends WindsockError {
  override readonly code = "WINDSOCK_OPTION";
}

/** A file's path cannot become a route, or two files claim the same one. */
export class RouteError extends WindsockError {
  override readonly code = "WINDSOCK_ROUTE";
}

/** A file in the services folder does not hold a service that can be started. */
export class ServiceFileError extends WindsockError {
  override readonly code = "WINDSOCK_SERVICE_FILE";
}

/** The server cannot listen: the port is taken, or not allowed. */
export class ListenError extends WindsockError {
  override readonly code = "WINDSOCK_LISTEN";
}

/** `broadcast`, `info` or `call` was used while no server runs, or while several do. */
export class NoServerError extends WindsockError {
  override readonly code = "WINDSOCK_NO_SERVER";
}

/** No service has this name, or the key does not fit its route. */
export class UnknownServiceError extends WindsockError {
  override readonly code = "WINDSOCK_UNKNOWN_SERVICE";
}

/** A mailbox, a table or a budget is full: try again after `retryAfterMs`. */
export class OverloadedError extends WindsockError {
  override readonly code = "WINDSOCK_OVERLOADED";
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The service has spent its restart budget, or is stopping. */
export class ServiceDownError extends WindsockError {
  override readonly code = "WINDSOCK_SERVICE_DOWN";
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** A callback did not settle within `callbackTimeoutMs`: its turn is dropped and the actor restarts. */
export class CallbackTimeoutError extends WindsockError {
  override readonly code = "WINDSOCK_CALLBACK_TIMEOUT";
}

/** A callback returned a value that has no meaning. */
export class BadReturnError extends WindsockError {
  override readonly code = "WINDSOCK_BAD_RETURN";
}

/** A value cannot be sent: it is no string, bytes or JSON value. */
export class EncodeError extends WindsockError {
  override readonly code = "WINDSOCK_ENCODE";
}

/** A message or request does not fit the schema that the service declares. */
export class InvalidMessageError extends WindsockError {
  override readonly code = "WINDSOCK_INVALID";
}

/** A durable history cannot be opened, read or written. What it was to hold was not acknowledged. */
export class HistoryError extends WindsockError {
  override readonly code = "WINDSOCK_HISTORY";
}

/** A call was not answered before its deadline, or was aborted by its signal. */
export class CallTimeoutError extends WindsockError {
  override readonly code = "WINDSOCK_CALL_TIMEOUT";
}

/** The service that was to answer a call crashed, stopped, or has no such call. */
export class CallFailedError extends WindsockError {
  override readonly code = "WINDSOCK_CALL_FAILED";
}

/** A call would wait for a service that is itself waiting for the caller. */
export class CallCycleError extends WindsockError {
  override readonly code = "WINDSOCK_CALL_CYCLE";
  /** The services on the way, first caller first, the repeated one last. */
  readonly chain: readonly string[];
  constructor(chain: readonly string[]) {
    super(
      `Expected a call to reach a service that is not waiting for its caller, got the cycle ${chain.join(" -> ")}. ` +
        "Send with `info` or `broadcast` instead, or answer from state you already have.",
    );
    this.chain = chain;
  }
}
