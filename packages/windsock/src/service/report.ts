/** What went wrong and was survived. A server hands each to `onReport`. */
export type Report =
  /** A callback threw, rejected or did not settle. */
  | {
      readonly type: "crash";
      readonly service: string;
      readonly address: string;
      readonly callback: string;
      readonly client: string | undefined;
      /** A bounded view of the message, without what looks like a secret. */
      readonly message: string | undefined;
      readonly error: unknown;
      /** What follows: a new incarnation, or (`onCrash: "keep"`, `terminate`) nothing. */
      readonly restarts: boolean;
    }
  /** The restart budget is spent. */
  | {
      readonly type: "down";
      readonly service: string;
      readonly address: string;
      readonly retryAfterMs: number;
    }
  /** A broadcast, info or message reached nobody: no actor, a full mailbox, a service that is down. */
  | {
      readonly type: "undelivered";
      readonly address: string;
      readonly what: string;
      readonly reason: string;
    }
  /** A part of the app that is no callback failed: `authorize`, a log source, a request handler. */
  | { readonly type: "failure"; readonly where: string; readonly error: unknown };

/** A report as one or more lines for a terminal. */
export function formatReport(report: Report): string {
  switch (report.type) {
    case "crash": {
      const by = report.client === undefined ? "" : ` for client ${report.client}`;
      const message = report.message === undefined ? "" : `\n  message: ${report.message}`;
      return `windsock: ${report.callback} of ${report.address} failed${by}; ${report.restarts ? "the service restarts" : "its state is kept"}.${message}\n  ${stackOf(report.error)}`;
    }
    case "down":
      return `windsock: ${report.address} restarted too often and is down; next try in ${Math.round(report.retryAfterMs / 1000)} s.`;
    case "undelivered":
      return `windsock: ${report.what} to ${report.address} was dropped: ${report.reason}.`;
    case "failure":
      return `windsock: ${report.where} failed.\n  ${stackOf(report.error)}`;
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
