import { EnvelopeClient } from "../envelope-client.ts";
import type { Served } from "../serve.ts";

/** What a client knows after a join: its token and place among it. */
export type Info = Awaited<ReturnType<EnvelopeClient["join"]>>;

/** A client on a socket of its own, in the service `status` over channel 1. */
export async function joined(served: Served): Promise<[EnvelopeClient, Info]> {
  const client = await EnvelopeClient.open(served.server.url);
  return [client, await client.join(1, "status")];
}

/** The same membership on a new socket, from the place that is given. */
export async function comeBack(
  served: Served,
  { token, epoch, seq, count }: Pick<Info, "token" | "epoch" | "seq" | "count">,
): Promise<[EnvelopeClient, Info]> {
  const client = await EnvelopeClient.open(served.server.url);
  const resume = { token, epoch, seq, count };
  return [client, await client.join(1, "status", { resume })];
}
