import { backoffMs, longestAttempt } from "./backoff.ts";
import {
  failuresOf,
  linkOf,
  transition,
  type ConnectionEvent,
  type ConnectionState,
} from "./connection-state.ts";
import { closeFault, Link, type LinkChannel, type LinkEnd, type LinkOwner } from "./link.ts";
import type { ClientPorts, ClientTimer, PageEvent } from "./ports.ts";

/** How long a connection without channels stays open: a page that goes from one to the next keeps its socket. */
const lingerMs = 1000;
/** How long a link that was moved away from stays open, so that the server sees the resume before the end. */
const partingMs = 5000;

/** A channel as its connection sees it. */
export interface ConnectionChannel extends LinkChannel {
  /** This link is open, if one is: join on it, and leave the one before. */
  attach(link: Link | undefined): void;
  /** The connection stands otherwise than before; `lost` is the link that is no more, if that is why. */
  changed(lost?: Link): void;
  /** The server's side is not as specified. */
  fault(reason: string): void;
  /** The connection will not come back. */
  ended(end: LinkEnd): void;
  /** The page is gone for good. */
  leave(): void;
}

/** The one socket for all channels with the same URL, and how it comes back. */
export class Connection implements LinkOwner {
  readonly #url: string;
  readonly #ports: ClientPorts;
  readonly #onOver: () => void;
  readonly #channels = new Set<ConnectionChannel>();
  readonly #stopListening: () => void;
  #state: ConnectionState = { type: "idle" };
  #timer: ClientTimer | undefined;
  #dueAt = 0;
  #linger: ClientTimer | undefined;

  /** `onOver`: it is not to be used again. */
  constructor(url: string, ports: ClientPorts, onOver: () => void) {
    this.#url = url;
    this.#ports = ports;
    this.#onOver = onOver;
    this.#stopListening = ports.page.listen((event) => this.#pageEvent(event));
  }

  get url(): string {
    return this.#url;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Attempts since the last stable connection, and how long until the next. */
  get outlook(): { readonly attempt: number; readonly retryInMs: number } {
    return {
      attempt: failuresOf(this.#state),
      retryInMs:
        this.#state.type === "waiting" ? Math.ceil(this.#dueAt - this.#ports.clock.now()) : 0,
    };
  }

  /** The link that a channel can join on now. */
  get openLink(): Link | undefined {
    const link = linkOf(this.#state);
    return link?.isOpen ? link : undefined;
  }

  /** `inUrl`: whether the URL may join it, which saves the first of all a round trip. */
  add(channel: ConnectionChannel, inUrl: boolean): void {
    this.#linger?.cancel();
    this.#channels.add(channel);
    if (this.#state.type === "idle") this.#dial(inUrl ? channel : undefined);
    else channel.attach(this.openLink);
  }

  remove(channel: ConnectionChannel): void {
    this.#channels.delete(channel);
    if (this.#channels.size > 0 || this.#state.type === "ended") return;
    this.#linger = this.#ports.clock.setTimeout(() => {
      closeLinks(this.#state);
      this.#state = { type: "idle" };
      this.#over();
    }, lingerMs);
  }

  // ---------- from the link ----------

  opened(link: Link): void {
    this.#step({ type: "opened", link, now: this.#ports.clock.now() });
  }

  lost(link: Link, end: LinkEnd): void {
    if (end.code === closeFault) for (const channel of this.#channels) channel.fault(end.reason);
    this.#step({ type: "lost", link, end, now: this.#ports.clock.now() });
  }

  draining(link: Link, windowMs: number): void {
    const now = this.#ports.clock.now();
    this.#step({ type: "draining", link, until: now + windowMs, now });
  }

  // ---------- life ----------

  #dial(asked?: ConnectionChannel): void {
    this.#timer?.cancel();
    this.#step({ type: "dialled", link: new Link(this.#url, this.#ports, this, asked) });
  }

  #step(event: ConnectionEvent): void {
    const before = this.#state;
    const after = transition(before, event);
    if (after === before) return;
    this.#state = after;
    this.#timer?.cancel();
    switch (after.type) {
      case "waiting":
        this.#dialIn(this.#backoff(after.failures));
        break;
      case "draining":
        this.#dialIn(
          Math.max(
            before.type === "open"
              ? this.#ports.random() * (after.until - this.#ports.clock.now())
              : 0,
            after.failures === 0 ? 0 : this.#backoff(after.failures),
          ),
        );
        break;
      case "open":
        for (const channel of this.#channels) channel.attach(after.link);
        if (before.type === "moving")
          this.#ports.clock.setTimeout(() => before.link.close(), partingMs);
        break;
      case "ended":
        closeLinks(before);
        this.#over();
        for (const channel of this.#channels) channel.ended(after.end);
        return;
      case "idle":
      case "connecting":
      case "moving":
    }
    // After the step: channels say at once how long it is until the next attempt.
    const lost = "end" in event ? event.link : undefined;
    for (const channel of this.#channels) channel.changed(lost);
  }

  #dialIn(ms: number): void {
    this.#dueAt = this.#ports.clock.now() + ms;
    this.#timer = this.#ports.clock.setTimeout(() => this.#dial(), ms);
  }

  /** A hidden page hurries once; then it waits as long as anybody may. */
  #backoff(failures: number): number {
    const { page, random } = this.#ports;
    const attempt = failures > 1 && page.isHidden() ? longestAttempt : failures - 1;
    return backoffMs(attempt, random);
  }

  #over(): void {
    this.#timer?.cancel();
    this.#stopListening();
    this.#onOver();
  }

  #pageEvent(event: PageEvent): void {
    const link = linkOf(this.#state);
    if (event === "wake") {
      if (this.#state.type === "waiting") this.#dial();
      else link?.probe();
      return;
    }
    if (event === "leave") for (const channel of this.#channels) channel.leave();
    if (!link) return;
    link.close();
    this.lost(link, { code: 1001, reason: event });
  }
}

function closeLinks(state: ConnectionState): void {
  const { link, next } = state as { readonly link?: Link; readonly next?: Link };
  link?.close();
  next?.close();
}
