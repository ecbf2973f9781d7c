import { expect, test, vi } from "vitest";
import { defineService, formatReport, type, type Report } from "../src/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

// What a report shows of a message: enough to find the fault, and no secret.

/** The view in the report of a crash that this message caused. */
async function viewOf(message: string | Uint8Array): Promise<string> {
  const probe = defineService({
    handleIncoming() {
      throw new Error("boom");
    },
  });
  const { open, reports, clock } = await serve({ probe });
  const client = await open("probe");
  client.send(message);
  await until(clock, () => reports.length > 0);
  const report = reports[0];
  return report?.type === "crash" ? (report.message ?? "none") : "none";
}

test("a crash is reported with service, callback, client, message and stack", async () => {
  const ids: string[] = [];
  const probe = defineService({
    handleJoin: (client) => void ids.push(client.id),
    handleIncoming() {
      throw new Error("boom");
    },
  });
  const { open, reports, clock } = await serve({ probe });
  const client = await open("probe");
  client.send("hello");
  await until(clock, () => reports.length > 0);
  expect(reports).toEqual([
    {
      type: "crash",
      service: "probe",
      address: "probe",
      callback: "handleIncoming",
      client: ids[0],
      message: "hello",
      error: new Error("boom"),
      restarts: true,
    },
  ]);
  const text = formatReport(reports[0]!);
  expect(text).toContain(`windsock: handleIncoming of probe failed for client ${ids[0]}`);
  expect(text).toContain("message: hello");
  expect(text).toContain("reports.test.ts");
});

test("a message of 200 characters is shown as it is, one more is cut, with its length", async () => {
  expect(await viewOf("x".repeat(200))).toBe("x".repeat(200));
  expect(await viewOf("x".repeat(201))).toBe(`${"x".repeat(200)}... (201 characters)`);
  expect(await viewOf(new Uint8Array(50_000))).toBe("50000 bytes");
});

test.each([
  ['{"user":"ada","password":"hunter2"}', '{"user":"ada","password":"[redacted]"}'],
  ['{"pin":{"accessToken":12345}}', '{"pin":{"accessToken":"[redacted]"}}'],
  ['{"apiKey":["hunter2"]}', '{"apiKey":"[redacted]"}'],
  ['[{"clientSecret":"hunter2"}]', '[{"clientSecret":"[redacted]"}]'],
  // Broken JSON, and JSON within JSON.
  ['{"password":"hunter2"', '{"password":"[redacted]"'],
  ['{"password": "hunter2', '{"password": "[redacted]"'],
  ['{"body":"{\\"password\\":\\"hunter2\\"}"}', '{"body":"{\\"password\\":\\"[redacted]\\"}"}'],
  ["Authorization: Bearer hunter2", "Authorization: [redacted]"],
  ["password=hunter2&user=ada", "password=[redacted]&user=ada"],
  ["set api_key hunter2", "set api_key [redacted]"],
])("of %s it shows %s", async (message, view) => {
  expect(await viewOf(message)).toBe(view);
});

test("a secret that the cut runs through stays one", async () => {
  const view = await viewOf(`{"a":"${"x".repeat(170)}","password":"hunter2hunter2hunter2"`);
  expect(view).not.toContain("hunter");
  expect(await viewOf(`{"password":"${"hunter2".repeat(5000)}"}`)).toBe(
    '{"password":"[redacted]"}',
  );
});

test("an info, a broadcast and a call are shown and redacted as well", async () => {
  const probe = defineService({
    onCrash: "keep",
    calls: { ask: { response: type<unknown>() } },
    handleInfo() {
      throw new Error("boom");
    },
    handleBroadcast() {
      throw new Error("boom");
    },
    handleCall: {
      ask() {
        throw new Error("boom");
      },
    },
  });
  const { server, reports } = await serve({ probe });
  const message = { token: "hunter2", n: 1n };
  server.info("probe", message);
  server.broadcast("probe", { token: "hunter2", n: 1 });
  await server.call("probe", "ask", { token: "hunter2", n: 1 }).catch(() => {});
  const views = reports.map((one) => (one.type === "crash" ? one.message : undefined));
  expect(views).toEqual([
    "an object with the keys token, n",
    '{"token":"[redacted]","n":1}',
    'ask({"token":"[redacted]","n":1})',
  ]);
});

// The search for names and values began anew at each quote of the message and ran to its end:
// 64 KiB of escaped quotes took seconds, in which the process did nothing else.
test.each(['\\"', '"', '"a":', '"password":"\\', "password=", "{", "["])(
  "a message of nothing but %s costs no time to speak of",
  async (unit) => {
    const before = process.cpuUsage();
    await viewOf(unit.repeat(65_536 / unit.length));
    const { user } = process.cpuUsage(before);
    expect(user / 1000).toBeLessThan(500);
  },
);

test("a reporter that throws, and an error that is none, are survived", async () => {
  const seen: Report[] = [];
  const lines = vi.spyOn(console, "error").mockImplementation(() => {});
  const probe = defineService({
    handleIncoming(_client, message) {
      // What user code throws is not ours to choose.
      // oxlint-disable-next-line typescript/only-throw-error
      throw message === "null" ? null : { toString: () => "an object" };
    },
  });
  const { open, clock, server } = await serve(
    { probe },
    {
      onReport(report) {
        seen.push(report);
        throw new Error("the reporter is broken");
      },
    },
  );
  const client = await open("probe");
  for (const message of ["null", "object"]) client.send(message);
  await until(clock, () => server.services()[0]?.generation === 3);
  expect(seen).toHaveLength(2);
  expect(lines).toHaveBeenCalledTimes(2);
  lines.mockRestore();
  expect(seen.map(formatReport).join()).toContain("an object");
});
