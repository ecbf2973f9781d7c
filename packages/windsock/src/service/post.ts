import { settleWithin, type Clock } from "../actor/clock.ts";
import { OverloadedError } from "../errors.ts";
import type { Report } from "./report.ts";
import { messageOf } from "./value.ts";

/** An item on its way to a mailbox. */
export interface Post {
  readonly address: string;
  readonly what: string;
  /** False: the mailbox is full. Throws when there is nobody to take it. */
  offer(): boolean;
  /** Resolves when it is worth trying again. */
  room(): Promise<void>;
  /** It will not leave: its turn failed, or nobody takes it. */
  drop?(): void;
}

/** Posts from outside any turn: there is nobody who could wait, so a full mailbox is an error. */
export function deliver(post: Post): void {
  if (!post.offer()) {
    throw new OverloadedError(
      `Expected room in the mailbox of ${post.address} for ${post.what}, got a full one. Try again later, or raise \`limits.maxMailboxMessages\`.`,
      1000,
    );
  }
}

export interface PosterOptions {
  /** The actor that posts. */
  readonly address: string;
  /** How long it may wait for room in the mailboxes of others. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly report: (report: Report) => void;
}

/** Takes the posts of a committed turn to their mailboxes. */
export class Poster {
  readonly #options: PosterOptions;

  constructor(options: PosterOptions) {
    this.#options = options;
  }

  /** Posts in order. A full mailbox is waited for, within the time of a callback: then the post is reported as undelivered. */
  postAll(posts: readonly Post[]): void | Promise<void> {
    for (let index = 0; index < posts.length; index++) {
      const post = posts[index];
      if (post === undefined || this.#try(post)) continue;
      return this.#postLater(posts.slice(index));
    }
    return undefined;
  }

  async #postLater(posts: readonly Post[]): Promise<void> {
    const { address, clock, timeoutMs } = this.#options;
    const deadline = clock.now() + timeoutMs;
    for (const post of posts) {
      while (!this.#try(post)) {
        const left = deadline - clock.now();
        // One's own mailbox cannot empty while one waits for it.
        if (post.address === address || left <= 0 || !(await roomWithin(post, left, clock))) {
          this.#undelivered(post, "its mailbox is full");
          break;
        }
      }
    }
  }

  /** False: the mailbox is full. */
  #try(post: Post): boolean {
    try {
      return post.offer();
    } catch (error) {
      // The rest says what to do, and there is nobody who could.
      const [reason = ""] = messageOf(error).split(". ", 1);
      this.#undelivered(post, reason);
      return true;
    }
  }

  #undelivered(post: Post, reason: string): void {
    post.drop?.();
    const { address, what } = post;
    this.#options.report({ type: "undelivered", address, what, reason });
  }
}

async function roomWithin(post: Post, ms: number, clock: Clock): Promise<boolean> {
  try {
    await settleWithin(post.room(), ms, clock, () => new OverloadedError("no room", 0));
    return true;
  } catch {
    return false;
  }
}
