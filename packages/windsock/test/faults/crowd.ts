import { setTimeout as sleep } from "node:timers/promises";
import { SeededRandom } from "./random.ts";
import { ServerProcess } from "./server-process.ts";
import { TestClient, type TestChannel } from "./test-client.ts";

export interface CrowdResult {
  readonly faults: readonly string[];
  readonly clients: number;
  /** From the start of the new server until the last one was back and had everything. */
  readonly backMs: number;
}

const token = "0123456789abcdef";

/** Many clients lose their server at once (`kill -9`), and come back to the next one at once. */
export async function crowdRun(clients: number, seed: number): Promise<CrowdResult> {
  const server = new ServerProcess();
  const random = new SeededRandom(seed);
  const crowd = Array.from(
    { length: clients },
    () => new TestClient({ random: random.next, speed: clients > 2000 ? 1 : 4 }),
  );
  const channels: TestChannel[] = [];
  /** Until it is taken: an answer that is no yes means that it was not. */
  const publish = async (text: string): Promise<void> => {
    for (;;) {
      const { ok } = await fetch(`${server.url}/websocket/news`, {
        method: "POST",
        body: text,
        headers: { authorization: `Bearer ${token}` },
      });
      if (ok) return;
      await sleep(200);
    }
  };
  const all = async (isSo: (channel: TestChannel) => boolean, what: string): Promise<void> => {
    const deadline = performance.now() + 60_000 + clients * 20;
    while (!channels.every(isSo)) {
      if (performance.now() > deadline) {
        const left = channels.filter((one) => !isSo(one));
        throw new Error(
          `Expected that all ${what}, got ${left.length} left, one ${JSON.stringify(left[0]?.channel.state)} ${JSON.stringify(left[0]?.seen.slice(-3))} (seed ${seed}). ${server.stderr.slice(0, 2000)}`,
        );
      }
      await sleep(20);
    }
  };
  try {
    await server.start();
    for (const client of crowd) {
      channels.push(client.connect("news", server.url));
      // As many as a listening socket lets wait.
      if (channels.length % 200 === 0)
        await all(({ channel }) => channel.state.type === "open", "have joined");
    }
    await all(({ channel }) => channel.state.type === "open", "have joined");
    await publish("before");
    await server.end("SIGKILL");
    await server.start();
    const began = performance.now();
    await publish("while away");
    await all(({ channel }) => channel.state.type === "open", "are back");
    await publish("after");
    const due = '["before","restarted","while away","after"]';
    const hasAll = ({ seen }: TestChannel): boolean =>
      seen.some((one) => one.type === "published" && one.message === "after");
    await all(hasAll, "have the last message");
    const faults = channels.flatMap(({ seen }, index) => {
      const shown = seen
        .filter(({ type }) => type !== "resumed")
        .map((one) => (one.type === "published" ? one.message : one.type));
      return JSON.stringify(shown) === due ? [] : `client ${index} has ${JSON.stringify(shown)}`;
    });
    return { faults, clients, backMs: Math.round(performance.now() - began) };
  } finally {
    for (const client of crowd) client.close();
    await server.remove();
  }
}
