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

// A join that was on its way when its client had given the socket up could arrive behind the
// one on the next socket. It took the channel from that, without a word there, until the
// client had spoken: its token was still good.
test("a join that comes late, on a socket that was given up, takes nothing from the next one", async () => {
  const drops: string[] = [];
  const service = defineService({ handleDrop: (client) => void drops.push(client.id) });
  const { server } = await serve(service);
  const first = await EnvelopeClient.open(server.url);
  const { token, epoch, id } = await first.join(1, "status");
  const resume = { token, epoch, seq: 0, count: 0 };
  first.socket.cut();
  while (drops.length < 1) await settle();
  const givenUp = await EnvelopeClient.open(server.url);
  const next = await EnvelopeClient.open(server.url);
  const { token: newest } = await next.join(1, "status", { resume });
  givenUp.send({ type: "join", channel: 1, path: "status", options: { resume } });
  expect(await givenUp.next("error")).toMatchObject({ n: 0, code: "overloaded" });
  expect(server.clients("status").map((client) => client.id)).toEqual([id]);
  server.broadcast("status", "still here");
  expect(await next.next("pub")).toMatchObject({ payload: "still here" });
  // Neither did it make a token of its own: the client's is good.
  next.socket.cut();
  while (drops.length < 2) await settle();
  const last = await EnvelopeClient.open(server.url);
  const again = { resume: { ...resume, token: newest } };
  expect(await last.join(1, "status", again)).toMatchObject({ answer: "resumed", id });
});

test("a client that goes back to an older socket, with its newest token, is let", async () => {
  const { server } = await serve(defineService({}));
  const first = await EnvelopeClient.open(server.url);
  const older = await EnvelopeClient.open(server.url);
  const newer = await EnvelopeClient.open(server.url);
  const { token, epoch, id } = await first.join(1, "status");
  const resume = { token, epoch, seq: 0, count: 0 };
  const { token: newest } = await newer.join(1, "status", { resume });
  const back = await older.join(1, "status", { resume: { ...resume, token: newest } });
  expect(back).toMatchObject({ answer: "resumed", id });
});
