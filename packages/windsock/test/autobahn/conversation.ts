import { createHash } from "node:crypto";
import { constants, inflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Report } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { startEchoServers, type EchoLimits, type EchoServers } from "./echo-servers.ts";
import { close, patienceMs, RawClient, text, type Bytes } from "./raw-client.ts";

/** What a client sends, and what must come back: from `ws`, and from a Windsock service just so. */
export interface Case {
  /** A sentence about what the server does. */
  readonly name: string;
  /** Each is one TCP write, and the server has read it before the next one is made. */
  readonly writes: readonly Buffer[];
  /** Header lines beside the handshake's own. @default none */
  readonly headers?: readonly string[];
  /** The client ends its side of the connection right behind the last write. @default false */
  readonly ends?: boolean;
  readonly gives: Answer;
}

export interface Answer {
  /** Messages sent back, in order. @default none */
  readonly messages?: readonly Message[];
  /** What the handshake agrees to beside the key, as header lines. @default nothing */
  readonly agreed?: readonly string[];
  /** The payloads of pongs, in order. @default none */
  readonly pongs?: readonly Bytes[];
  /**
   * The payload of the server's close frame in hex (`03ea`: 1002), after which it ends the
   * connection. `dropped`: it ends it without one. Absent: the connection goes on, which a
   * further message and a closing handshake show.
   */
  readonly close?: string;
}

/** A message as the server sends it: the first byte of its frame, and its payload. */
export type Message = readonly [head: 0x81 | 0x82, payload: Bytes];

/** Everything that came back. Pongs and messages may overtake each other, so each have their own order. */
export interface Transcript {
  /** The `Sec-WebSocket-` lines of the handshake's answer: what was agreed on. */
  readonly agreed: readonly string[];
  readonly messages: readonly string[];
  readonly pongs: readonly string[];
  readonly close: string;
  /** What came behind the close frame, or is no frame. */
  readonly other: readonly string[];
}

/** What came back from each. */
export interface Answers {
  readonly ws: Transcript;
  readonly windsock: Transcript;
}

/** The answer to the key of RFC 6455, section 1.2, which is the one that we send: nothing else is agreed on. */
const agreed = ["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="];
const probe = "still here";

/** What should come back from either. */
export function expected({
  messages = [],
  pongs = [],
  close: closing,
  agreed: more = [],
}: Answer): Answers {
  const all: Message[] = closing === undefined ? [...messages, [0x81, probe]] : [...messages];
  const one: Transcript = {
    agreed: [...agreed, ...more],
    messages: all.map(([head, payload]) => show(head, Buffer.from(payload as string))),
    pongs: pongs.map((payload) => show(0x8a, Buffer.from(payload as string))),
    close: closing ?? "03e8",
    other: [],
  };
  return { ws: one, windsock: one };
}

/** Says it to one server, and notes what comes back. */
async function answerTo(port: number, one: Omit<Case, "name">): Promise<Transcript> {
  const client = await RawClient.open(port, { headers: one.headers ?? [] });
  for (const [index, bytes] of one.writes.entries()) {
    client.write(bytes);
    if (one.ends !== true || index < one.writes.length - 1) await settle();
  }
  if (one.ends === true) client.end();
  if (one.gives.close === undefined) {
    const due = (one.gives.messages?.length ?? 0) + (one.gives.pongs?.length ?? 0);
    await client.received(due);
    client.write(text(probe));
    await client.received(due + 1);
    client.write(close(1000));
  }
  await client.over();
  return transcriptOf(client);
}

/** Writes this, ends once it is answered, and notes what comes back. */
async function reactionTo(port: number, writes: readonly Buffer[]): Promise<Transcript> {
  const client = await RawClient.open(port);
  for (const bytes of writes) {
    client.write(bytes);
    await settle();
  }
  client.end();
  await client.over();
  return transcriptOf(client);
}

function transcriptOf({ head: answer, frames, rest }: RawClient): Transcript {
  const messages: string[] = [];
  const pongs: string[] = [];
  const other: string[] = [];
  let closing: string | undefined;
  for (const { head, payload, isProper } of frames) {
    if (closing !== undefined || !isProper) other.push(show(head, payload));
    else if (head === 0x88) closing = payload.toString("hex");
    else if (head === 0x8a) pongs.push(show(head, payload));
    // The two need not compress in the same way, but what comes out must be the same.
    else if ((head & 0x40) === 0) messages.push(show(head, payload));
    else messages.push(show(head & ~0x40, inflated(payload)));
  }
  if (rest.length > 0) other.push(`${rest.length} bytes of a frame`);
  return {
    agreed: answer.split("\r\n").filter((line) => /^sec-websocket-/i.test(line)),
    messages,
    pongs,
    close: closing ?? "dropped",
    other,
  };
}

/** A payload of permessage-deflate (RFC 7692, section 7.2.2). */
export function inflated(payload: Buffer): Buffer {
  const bytes = Buffer.concat([payload, Buffer.from("0000ffff", "hex")]);
  return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
}

function show(head: number, payload: Buffer): string {
  const shown =
    payload.length <= 125
      ? payload.toString("hex")
      : `${payload.length} bytes ${createHash("sha1").update(payload).digest("hex")}`;
  return `${head.toString(16)} ${shown}`;
}

/** A client that is there all the time, and gets what it sent and nothing else. */
class Bystander {
  readonly #client: RawClient;
  #sent = 0;

  private constructor(client: RawClient) {
    this.#client = client;
  }

  static async open(port: number): Promise<Bystander> {
    return new Bystander(await RawClient.open(port));
  }

  /** Sends one more message. Gives what came that is not the next of its own. */
  async surprises(): Promise<string[]> {
    const message = `bystander ${this.#sent++}`;
    this.#client.write(text(message));
    await this.#client.received(1);
    const got = this.#client.frames.splice(0).map(({ payload }) => payload.toString());
    return got.length === 1 && got[0] === message ? [] : [...got, `instead of ${message}`];
  }

  async leave(): Promise<void> {
    this.#client.write(close(1000));
    await this.#client.over();
  }
}

/** What is wrong behind the scenes, if anything. */
interface Aftermath {
  /** What bystanders got that was not their own. */
  readonly surprises: readonly string[];
  /** What Windsock has reported. */
  readonly reports: readonly Report[];
  /** Clients of the service that should be gone. */
  readonly leftBehind: number;
}

export const nothingWrong: Aftermath = { surprises: [], reports: [], leftBehind: 0 };

/** Both servers, and a bystander on each. */
interface Pair {
  /** Says it to both servers. */
  readonly answers: (one: Omit<Case, "name">) => Promise<Answers>;
  /** Writes this to both servers, and ends once they have read it. */
  readonly reactions: (writes: readonly Buffer[]) => Promise<Answers>;
  /** Each bystander sends one more message. Gives what came that is not the next of their own. */
  readonly surprises: () => Promise<string[]>;
  /** Waits for those who should be gone. */
  readonly aftermath: () => Promise<Aftermath>;
}

/** Starts both servers for the tests of one `describe`. */
export function useEchoServers(limits: EchoLimits = {}): Pair {
  let servers: EchoServers;
  let bystanders: Bystander[] = [];
  beforeAll(async () => {
    servers = await startEchoServers(limits);
    const { ws, windsock } = servers.ports;
    bystanders = [await Bystander.open(ws), await Bystander.open(windsock)];
  });
  afterAll(async () => {
    for (const bystander of bystanders) await bystander.leave();
    await servers.stop();
  });
  const both = async (ask: (port: number) => Promise<Transcript>): Promise<Answers> => {
    const { ports } = servers;
    const [ws, windsock] = await Promise.all([ask(ports.ws), ask(ports.windsock)]);
    return { ws, windsock };
  };
  const surprises = async (): Promise<string[]> =>
    (await Promise.all(bystanders.map((each) => each.surprises()))).flat();
  return {
    answers: (one) => both((port) => answerTo(port, one)),
    reactions: (writes) => both((port) => reactionTo(port, writes)),
    surprises,
    async aftermath() {
      const found = await surprises();
      // A client is gone once its socket is closed on this side too, and the mailbox has come to it.
      const deadline = performance.now() + patienceMs;
      while (servers.clients() > 1 && performance.now() < deadline) await settle();
      return { surprises: found, reports: servers.reports, leftBehind: servers.clients() - 1 };
    },
  };
}

/** One test for each case, on both servers, and one about those who had no part in it. */
export function describeCases(
  group: string,
  cases: readonly Case[],
  limits: EchoLimits = {},
): void {
  describe(`${group}`, () => {
    const pair = useEchoServers(limits);
    for (const { name, ...one } of cases)
      test(`${name}`, async () => {
        expect(await pair.answers(one)).toEqual(expected(one.gives));
      });
    test("all the while nobody else noticed, and nobody is left behind", async () => {
      expect(await pair.aftermath()).toEqual(nothingWrong);
    });
  });
}
