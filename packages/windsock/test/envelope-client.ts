import {
  decodeServerEnvelope,
  encodeClientEnvelope,
  protocolName,
  type ClientEnvelope,
  type ServerEnvelope,
} from "../src/protocol/v1/index.ts";
import { PlainClient, type PlainClientOptions } from "../src/testing/index.ts";

type Of<Type extends ServerEnvelope["type"]> = Extract<ServerEnvelope, { type: Type }>;

/** A socket of `windsock.v1` without any of a client's cleverness: envelopes out, envelopes in. */
export class EnvelopeClient {
  readonly socket: PlainClient;

  private constructor(socket: PlainClient) {
    this.socket = socket;
  }

  /** `path`: what the URL itself joins, as channel 1. */
  static async open(
    url: string,
    options: PlainClientOptions = {},
    path?: string,
  ): Promise<EnvelopeClient> {
    const whole = path === undefined ? `${url}/websocket` : `${url}/websocket/${path}`;
    return new EnvelopeClient(
      await PlainClient.open(whole, { protocols: [protocolName], ...options }),
    );
  }

  send(...envelopes: ClientEnvelope[]): void {
    for (const envelope of envelopes) this.socket.send(encodeClientEnvelope(envelope));
  }

  /** Joins and waits for the answer. */
  async join(
    channel: number,
    path: string,
    options: Extract<ClientEnvelope, { type: "join" }>["options"] = {},
  ): Promise<Of<"joined">["info"]> {
    this.send({ type: "join", channel, path, options });
    return (await this.next("joined")).info;
  }

  /** The next envelope, which must be of this kind. */
  async next<Type extends ServerEnvelope["type"]>(type: Type): Promise<Of<Type>> {
    const envelope = await this.any();
    if (envelope.type !== type)
      throw new Error(`Expected a ${type}, got ${JSON.stringify(envelope)}.`);
    return envelope as Of<Type>;
  }

  async any(): Promise<ServerEnvelope> {
    const envelope = decodeServerEnvelope(await this.socket.next());
    if (envelope === undefined)
      throw new Error("Expected an envelope of a known kind, got another.");
    return envelope;
  }

  /** The next `count` envelopes, each shown shortly: `pub 3 {"a":1}`. */
  async take(count: number): Promise<string[]> {
    const taken: string[] = [];
    for (let index = 0; index < count; index++) taken.push(shown(await this.any()));
    return taken;
  }

  /** Waits until the server has handled everything so far: what came meanwhile. */
  async settled(): Promise<string[]> {
    this.send({ type: "ping", payload: "settled" });
    const taken: string[] = [];
    for (;;) {
      const envelope = await this.any();
      if (envelope.type === "pong" && envelope.payload === "settled") return taken;
      taken.push(shown(envelope));
    }
  }
}

function shown(envelope: ServerEnvelope): string {
  switch (envelope.type) {
    case "pub":
      return `pub ${envelope.seq} ${textOf(envelope.payload)}`;
    case "msg":
      return `msg ${textOf(envelope.payload)}`;
    case "reply":
      return `reply ${envelope.n} ${textOf(envelope.payload)}`;
    case "error":
      return `error ${envelope.n} ${envelope.code}`;
    case "done":
      return `done ${envelope.n}`;
    case "snapshot":
      return `snapshot ${envelope.seq} ${textOf(envelope.payload)}`;
    case "restarted":
      return `restarted ${envelope.seq}`;
    case "log":
      return `log ${envelope.topic} ${envelope.seq}`;
    case "tail":
      return `tail ${envelope.topic} ${envelope.offset} ${textOf(envelope.payload)}`;
    case "closed":
      return `closed ${envelope.closeCode} ${envelope.how}`;
    case "at":
      return `at ${envelope.seq} ${envelope.count}`;
    default:
      return envelope.type;
  }
}

function textOf(payload: unknown): string {
  return payload instanceof Uint8Array
    ? `bytes ${Buffer.from(payload).toString("hex")}`
    : JSON.stringify(payload);
}
