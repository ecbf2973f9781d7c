import {
  decodeServerElements,
  type ServerElements,
  type WireMessage,
} from "../protocol/v1/index.ts";
import { ClientError, explainErrors } from "./client-error.ts";
import { explanation } from "./explanations.ts";

/** What the client uses of a `WebSocket`. */
export interface ClientSocket {
  /** The sub-protocol that was agreed on. */
  readonly protocol: string;
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** Time that only grows, in ms, and timers on it. */
export interface ClientClock {
  now(): number;
  setTimeout(run: () => void, ms: number): ClientTimer;
}

export interface ClientTimer {
  /** Idempotent; harmless after it ran. */
  cancel(): void;
}

/**
 * What happens to the page:
 * - `wake`: it can be seen again, came back from the back-forward cache, or the network is there
 * - `freeze`: it may go into the back-forward cache, where an open socket would not let it
 * - `leave`: it is gone for good
 */
export type PageEvent = "wake" | "freeze" | "leave";

/** The page around the client. Where there is none (Node), it is always visible and nothing happens. */
export interface ClientPage {
  /** Where relative URLs start. */
  readonly url: string | undefined;
  isHidden(): boolean;
  /** Called once for each URL that is connected to. Gives the way to stop listening. */
  listen(listener: (event: PageEvent) => void): () => void;
}

/** What the client needs of its surroundings; a test puts its own in their place. */
export interface ClientPorts {
  readonly WebSocket: new (url: string, protocol: string) => ClientSocket;
  readonly clock: ClientClock;
  /** From 0 up to, not including, 1: for the jitter of waits. */
  readonly random: () => number;
  readonly page: ClientPage;
  /** Reads what came. Throws for what is no envelope; gives nothing for an unknown kind. */
  readonly decode: (message: WireMessage) => ServerElements | undefined;
}

interface Surroundings {
  readonly WebSocket?: ClientPorts["WebSocket"];
  readonly location?: { readonly href: string };
  readonly document?: { readonly visibilityState: string };
  addEventListener?(type: string, listener: (event: { persisted?: boolean }) => void): void;
  removeEventListener?(type: string, listener: (event: { persisted?: boolean }) => void): void;
}

const here = globalThis as unknown as Surroundings;

const isHidden = (): boolean => here.document?.visibilityState === "hidden";

/** The page that this runs in. */
export const browserPage: ClientPage = {
  get url() {
    return here.location?.href;
  },
  isHidden,
  listen(listener) {
    const heard = ({ type, persisted }: { type?: string; persisted?: boolean }): void => {
      if (type === "pagehide") listener(persisted === true ? "freeze" : "leave");
      else if (!isHidden()) listener("wake");
    };
    // `visibilitychange` is the document's and bubbles up to the window.
    const types = ["online", "visibilitychange", "pageshow", "pagehide"];
    for (const type of types) here.addEventListener?.(type, heard);
    return () => {
      for (const type of types) here.removeEventListener?.(type, heard);
    };
  },
};

/** No page: always visible, and nothing happens. */
export const noPage: ClientPage = { url: undefined, isHidden: () => false, listen: () => () => {} };

/** The time of the browser or of Node. */
export const systemClock: ClientClock = {
  now: () => performance.now(),
  setTimeout(run, ms) {
    const handle = setTimeout(run, ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** The given ports over those of the browser or of Node. */
export function portsWith(given: Partial<ClientPorts>): ClientPorts {
  explainErrors(explanation);
  const WebSocket = given.WebSocket ?? here.WebSocket;
  if (WebSocket === undefined) throw new ClientError("WINDSOCK_NO_WEBSOCKET");
  return {
    clock: systemClock,
    random: Math.random,
    page: browserPage,
    decode: decodeServerElements,
    ...given,
    WebSocket,
  };
}
