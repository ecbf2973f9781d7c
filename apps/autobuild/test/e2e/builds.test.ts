import { describe, expect, test } from "vitest";
import type { Build } from "../../src/build/build.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { Watcher } from "../support/watcher.ts";

describe("/websocket/builds", () => {
  test("tells everything once, and then each change", async () => {
    const repository = new TestRepository(steps("echo one"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const watcher = await Watcher.open(`${program.url}/websocket/builds`);
    await watcher.seen("the snapshot", ({ messages }) => messages.length > 0);
    expect(watcher.events).toEqual([
      {
        type: "snapshot",
        nowMs: expect.any(Number),
        pageVersion: expect.stringMatching(/^[\w-]{12}$/),
        access: { name: null, role: "admin" },
        ...(await program.builds()),
        branches: [
          {
            repositoryId: 1,
            repository: "project",
            branch: "main",
            build: await program.build(1),
            verdict: "passed",
            streak: 1,
            failingSince: null,
            recent: [{ id: 1, state: "passed", durationMs: expect.any(Number) }],
            forecast: null,
          },
        ],
        queue: { count: 0, first: [] },
      },
    ]);
    expect((await program.builds()).builds[0]).toMatchObject({
      id: 1,
      state: "passed",
      author: "Ann",
      subject: "first",
      steps: [{ name: "step-1", state: "passed" }],
    });

    const sha = repository.commitSteps("second", "true", "exit 7", "true");
    await ended(watcher, 2);
    const changes = buildsIn(watcher).filter(({ id }) => id === 2);
    expect(changes.at(0)).toMatchObject({ state: "queued", sha, subject: "second", steps: [] });
    expect(changes.at(-1)).toMatchObject({
      state: "failed",
      reason: "step step-2 exited with 7",
      steps: [{ state: "passed" }, { state: "failed" }, { state: "skipped" }],
    });
    expect(changes.at(-1)).toEqual(await program.build(2));
    const rows = watcher.events.flatMap((event) => (event.type === "branch" ? [event["row"]] : []));
    expect(rows.at(-1)).toMatchObject({
      branch: "main",
      build: changes.at(-1),
      verdict: "failed",
      failingSince: { buildId: 2 },
    });
  });

  test("builds again, cancels, and says why it does not", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`echo begin; ${gate.wait}`));
    const program = await Program.start([repository.folder]);
    await program.printed(1, "begin");
    const [one, other] = [
      await Watcher.open(`${program.url}/websocket/builds`),
      await Watcher.open(`${program.url}/websocket/builds`),
    ];
    one.send({ type: "cancel", id: 1 });
    await ended(one, 1);
    expect(await program.build(1)).toMatchObject({
      state: "cancelled",
      reason: "cancelled by somebody on the page",
    });

    gate.open();
    one.send({ type: "rebuild", id: 1 });
    await ended(one, 2);
    expect(await program.build(2)).toMatchObject({
      state: "passed",
      cause: "rebuild",
      causeBuildId: 1,
    });

    const refusals: [object, RegExp][] = [
      [{ type: "cancel", id: 1 }, /Expected build 1 to be queued or running, got .* cancelled/],
      [{ type: "cancel", id: 99 }, /Expected the number of a build, got 99/],
      [{ type: "rebuild", id: 99 }, /Expected the number of a build, got 99/],
    ];
    for (const [message, expected] of refusals) {
      const before = one.messages.length;
      one.send(message);
      await one.seen("an answer", ({ messages }) => messages.length > before);
      expect(one.events.at(-1)).toEqual({
        type: "refused",
        message: expect.stringMatching(expected),
      });
    }
    one.send({ type: "ping" });
    await one.seen("the answer to a ping", ({ events }) => events.at(-1)?.type === "pong");
    // To cancel what nobody knows was answered twice.
    expect(one.events.filter(({ type }) => type === "refused")).toHaveLength(refusals.length);
    await ended(other, 2);
    const toOthers = new Set(other.events.map(({ type }) => type));
    for (const type of ["refused", "pong"]) expect(toOthers).not.toContain(type);
  });

  test("closes the one who sends nonsense, and nobody else", async () => {
    const repository = new TestRepository(steps("echo one"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const url = `${program.url}/websocket/builds`;
    const bystander = await Watcher.open(url);
    const nonsense: (string | Buffer)[] = [
      "rebuild",
      "{",
      '"rebuild"',
      "null",
      '{"type":"rebuild"}',
      '{"type":"rebuild","id":"1"}',
      '{"type":"rebuild","id":1.5}',
      '{"type":"destroy","id":1}',
      '{"__proto__":{"type":"rebuild","id":1}}',
      Buffer.from([1, 2, 3]),
    ];
    for (const message of nonsense) {
      const watcher = await Watcher.open(url);
      watcher.socket.send(message);
      await watcher.seen(`${String(message)} is refused`, ({ closed }) => closed !== undefined);
      expect([String(message), watcher.closed?.code]).toEqual([String(message), 1007]);
    }
    const invalid = await Watcher.open(url);
    invalid.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    await invalid.seen("invalid UTF-8 is refused", ({ closed }) => closed?.code === 1007);
    const long = await Watcher.open(url);
    long.socket.send(JSON.stringify({ type: "ping", more: "x".repeat(65_536) }));
    await long.seen("a message over the limit is refused", ({ closed }) => closed?.code === 1009);

    repository.commitSteps("second", "echo two");
    await ended(bystander, 2);
    expect(bystander.closed).toBeUndefined();
    expect((await program.builds()).builds).toHaveLength(2);
  });
});

function buildsIn({ events }: Watcher): Build[] {
  return events.flatMap((event) => (event.type === "build" ? [event["build"] as Build] : []));
}

async function ended(watcher: Watcher, id: number): Promise<void> {
  await watcher.seen(`build ${id} has ended`, () =>
    buildsIn(watcher).some((build) => build.id === id && build.finishedMs !== null),
  );
}
