import { expect, test } from "vitest";
import { defineService, stop, type } from "../src/index.ts";
import { HostRig } from "./host-rig.ts";

const text = (value: string) => ({ kind: "json", bytes: Buffer.from(value) }) as const;

// `latest` is the app's code, and what comes from outside need not fit it. Thrown out of the
// port, its error went to whoever carries messages, and the question was never answered.
test("a publish that `history.latest` cannot take is answered, and reported", async () => {
  const rig = new HostRig({
    news: defineService({
      outgoing: type<{ id: string }>(),
      history: { latest: (message) => message.id.toUpperCase() },
    }),
  });
  rig.post({ type: "publish", address: "news", id: 1, value: text("null") });
  await rig.settle();
  expect(rig.messages).toMatchObject([{ type: "unavailable", id: 1 }]);
  expect(rig.reports).toMatchObject([{ type: "failure" }]);
});

// Its error was thrown at whoever carries messages, and the join was never answered.
test("a join whose history cannot be read is refused, and reported", async () => {
  const room = defineService({
    history: { durable: true },
    info: type<string>(),
    handleInfo: () => stop("enough"),
  });
  const rig = new HostRig({ room });
  await rig.settle();
  rig.host.info("room", "stop");
  await rig.settle();
  rig.history.failsToLoad = true;
  rig.join("first", "room");
  expect(rig.answersTo("first")).toMatchObject([{ type: "refused", status: 503 }]);
  expect(rig.reports).toMatchObject([{ type: "failure" }]);
  rig.history.failsToLoad = false;
  rig.join("second", "room");
  expect(rig.answersTo("second")).toMatchObject([{ type: "admitted" }]);
});

// As above, in the middle of an actor's end: the error would have ended the process.
test("who waits for a join when a history cannot be read is closed", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const room = defineService({
    history: { durable: true },
    info: type<string>(),
    async handleInfo() {
      await promise;
      return stop("enough");
    },
  });
  const rig = new HostRig({ room });
  await rig.settle();
  rig.host.info("room", "stop");
  rig.join("first", "room");
  await rig.settle();
  rig.history.failsToLoad = true;
  resolve();
  await rig.settle();
  expect(rig.outFor("first")).toMatchObject([{ type: "close", comeBack: "retry" }]);
  expect(rig.reports).toMatchObject([{ type: "failure" }]);
  expect(rig.host.services()).toEqual([]);
});

// All that the join said was kept as the client's data, and stored with it.
test("a membership is stored without the token that its client came back with", async () => {
  const rig = new HostRig({ room: defineService({ history: { durable: true } }) });
  const secret = "c2VjcmV0LW9mLWEtZmFyLWF3YXktbWVtYmVyc2hpcA";
  rig.join("first", "room", {
    dialect: "v1",
    resume: { token: `gone.${secret}`, epoch: "another", seq: 0, count: 0, tails: {} },
  });
  await rig.settle();
  const [member] = rig.history.load("room")?.members ?? [];
  expect(member?.id).toBe("first");
  expect(Buffer.from(member?.data ?? []).includes(secret)).toBe(false);
});
