import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve } from "../serve.ts";

// Each resume makes a new token and kept the one before. A client whose `joined` was lost twice
// in a row still held the one before that, which was forgotten: it was made to join anew, and
// what it had sent became unknown. The token that is kept is the one that was shown.
test("a client whose answers are lost comes back with the token that it has, however often", async () => {
  const drops: string[] = [];
  const service = defineService({ handleDrop: (client) => void drops.push(client.id) });
  const { server } = await serve(service);
  let client = await EnvelopeClient.open(server.url);
  const { token, epoch, id } = await client.join(1, "status");
  const resume = { token, epoch, seq: 0, count: 0 };
  for (let lost = 1; lost <= 3; lost++) {
    client.socket.cut();
    while (drops.length < lost) await settle();
    client = await EnvelopeClient.open(server.url);
    // What it is answered here, it does not see.
    expect(await client.join(1, "status", { resume })).toMatchObject({ answer: "resumed", id });
  }
  const other = await EnvelopeClient.open(server.url);
  const { token: newest } = await other.join(1, "status", { resume });
  // It has spoken with the newest one: no other is good any more.
  other.send({ type: "ack", channel: 1, count: 0 });
  await other.settled();
  const late = await EnvelopeClient.open(server.url);
  expect(await late.join(1, "status", { resume })).toMatchObject({ answer: "rejoin" });
  const last = await EnvelopeClient.open(server.url);
  expect(await last.join(1, "status", { resume: { ...resume, token: newest } })).toMatchObject({
    answer: "resumed",
    id,
  });
});

test("a token that no client has shown is forgotten with the next", async () => {
  const { server } = await serve(defineService({}));
  const first = await EnvelopeClient.open(server.url);
  const { token, epoch } = await first.join(1, "status");
  const resume = { token, epoch, seq: 0, count: 0 };
  const second = await EnvelopeClient.open(server.url);
  const lost = await second.join(1, "status", { resume });
  const third = await EnvelopeClient.open(server.url);
  await third.join(1, "status", { resume });
  const fourth = await EnvelopeClient.open(server.url);
  const { answer } = await fourth.join(1, "status", { resume: { ...resume, token: lost.token } });
  expect(answer).toBe("rejoin");
});
