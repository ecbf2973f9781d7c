import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createServer, type Server } from "windsock";
import { PlainClient, RefusedError, VirtualClock } from "windsock/testing";

const services = fileURLToPath(new URL("../src/websocket", import.meta.url));

let server: Server;
let clock: VirtualClock;
beforeEach(async () => {
  clock = new VirtualClock();
  server = await createServer({ port: 0, services, clock });
});
afterEach(() => server.stop());

function enter(room: string, name: string): Promise<PlainClient> {
  return PlainClient.open(`${server.url}/websocket/room/${room}?name=${encodeURIComponent(name)}`);
}

function say(client: PlainClient, text: string): void {
  client.send(JSON.stringify({ type: "say", text }));
}

function type(client: PlainClient): void {
  client.send(JSON.stringify({ type: "typing" }));
}

async function events(client: PlainClient, count: number): Promise<unknown[]> {
  const messages = await client.take(count);
  return messages.map((text) => JSON.parse(String(text)) as unknown);
}

const people = (...names: string[]) => ({ type: "people", names });
const typing = (...names: string[]) => ({ type: "typing", names });
const said = (name: string, text: string) => ({ type: "said", name, text, at: expect.any(String) });

test("everybody in a room hears what is said in it, in one order, and nobody else does", async () => {
  const ada = await enter("tea", "Ada");
  const bob = await enter("tea", "Bob");
  const eve = await enter("coffee", "Eve");
  say(ada, "  one ");
  expect(await events(ada, 3)).toEqual([people("Ada"), people("Ada", "Bob"), said("Ada", "one")]);
  say(bob, "two");
  expect(await events(ada, 1)).toEqual([said("Bob", "two")]);
  expect(await events(bob, 3)).toEqual([
    people("Ada", "Bob"),
    said("Ada", "one"),
    said("Bob", "two"),
  ]);
  say(eve, "alone");
  expect(await events(eve, 2)).toEqual([people("Eve"), said("Eve", "alone")]);
});

test("who comes later gets the last 50 things said, before anything else", async () => {
  const ada = await enter("tea", "Ada");
  for (let number = 1; number <= 51; number++) say(ada, `${number}`);
  await ada.take(52);
  const bob = await enter("tea", "Bob");
  const heard = await events(bob, 51);
  expect(heard.slice(0, 50)).toEqual(
    Array.from({ length: 50 }, (_, index) => said("Ada", `${index + 2}`)),
  );
  expect(heard[50]).toEqual(people("Ada", "Bob"));
});

test("typing is seen until it is 3 s old or the message is there, and is no part of the log", async () => {
  const ada = await enter("tea", "Ada");
  const bob = await enter("tea", "Bob");
  await Promise.all([ada.take(2), bob.take(1)]);
  type(ada);
  expect(await events(bob, 1)).toEqual([typing("Ada")]);
  await clock.advance(2999);
  expect(bob.received).toHaveLength(2);
  await clock.advance(1);
  expect(await events(bob, 1)).toEqual([typing()]);

  type(ada);
  type(bob);
  expect(await events(bob, 2)).toEqual([typing("Ada"), typing("Ada", "Bob")]);
  say(ada, "there");
  expect(await events(bob, 2)).toEqual([said("Ada", "there"), typing("Bob")]);
  const eve = await enter("tea", "Eve");
  expect(await events(eve, 2)).toEqual([said("Ada", "there"), people("Ada", "Bob", "Eve")]);
});

test("who leaves is no longer there, nor typing", async () => {
  const ada = await enter("tea", "Ada");
  const bob = await enter("tea", "Bob");
  type(bob);
  expect(await events(ada, 3)).toEqual([people("Ada"), people("Ada", "Bob"), typing("Bob")]);
  bob.cut();
  expect(await events(ada, 2)).toEqual([people("Ada"), typing()]);
});

test.each([
  ["{}", "type"],
  ['{"type":"say","text":"   "}', "text"],
  [JSON.stringify({ type: "say", text: "x".repeat(501) }), "text"],
  ["hello", "JSON"],
])(
  "the message %j closes its sender with 1007, who is told what is wrong",
  async (message, word) => {
    const ada = await enter("tea", "Ada");
    const bob = await enter("tea", "Bob");
    bob.send(message);
    const { code, reason } = await bob.closed;
    expect(code).toBe(1007);
    expect(reason).toContain(word);
    expect(await events(ada, 3)).toEqual([people("Ada"), people("Ada", "Bob"), people("Ada")]);
  },
);

test("a text of 500 characters is taken", async () => {
  const ada = await enter("tea", "Ada");
  say(ada, "x".repeat(500));
  expect(await events(ada, 2)).toEqual([people("Ada"), said("Ada", "x".repeat(500))]);
});

test.each([
  ["room/tea", 400, /^Expected \?name= with 1 to 20 characters\./],
  [`room/tea?name=${"x".repeat(21)}`, 400, /^Expected \?name=/],
  ["room/Tea?name=Ada", 404, /^Expected a key that fits room\/\[id\]/],
  [`room/${"x".repeat(31)}?name=Ada`, 404, /^Expected a key that fits/],
])("/websocket/%s is refused with %i", async (path, status, sentence) => {
  const refused = PlainClient.open(`${server.url}/websocket/${path}`);
  await expect(refused).rejects.toMatchObject({ status, body: expect.stringMatching(sentence) });
  await expect(refused).rejects.toBeInstanceOf(RefusedError);
});

test("the list of rooms is kept current, and asks a room who is there", async () => {
  const page = await PlainClient.open(`${server.url}/websocket/rooms`);
  expect(await events(page, 1)).toEqual([{ type: "rooms", rooms: [] }]);
  const ada = await enter("tea", "Ada");
  expect(await events(page, 1)).toEqual([{ type: "rooms", rooms: [{ room: "tea", people: 1 }] }]);
  page.send(JSON.stringify({ type: "who", room: "tea" }));
  page.send(JSON.stringify({ type: "who", room: "coffee" }));
  expect(await events(page, 2)).toEqual([
    { type: "who", room: "tea", names: ["Ada"] },
    { type: "who", room: "coffee", names: [] },
  ]);
  ada.close();
  expect(await events(page, 1)).toEqual([{ type: "rooms", rooms: [] }]);
});

test("another part of the server may ask, too", async () => {
  await enter("tea", "Ada");
  await enter("tea", "Bob");
  expect(await server.call("room/tea", "people")).toEqual(["Ada", "Bob"]);
});
