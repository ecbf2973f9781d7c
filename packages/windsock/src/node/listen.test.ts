import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createServer, defineService, type ServerOptions } from "../index.ts";

async function refusal(options: ServerOptions): Promise<{ code: string; message: string }> {
  return createServer({ services: { status: defineService({}) }, ...options }).then(
    async (server) => {
      await server.stop();
      return { code: "none", message: `listens on ${server.port}` };
    },
    (error: unknown) => error as { code: string; message: string },
  );
}

// Services began before the port was known to be free: a second start by mistake ran
// everybody's init, and terminate, beside the server that had the port.
test("a taken port is told in a sentence, and no service has begun", async () => {
  const tcp = createTcpServer();
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  const { port } = tcp.address() as AddressInfo;
  const seen: string[] = [];
  const status = defineService({
    init: () => void seen.push("init"),
    terminate: () => void seen.push("terminate"),
  });
  const error = await refusal({ port, services: { status } });
  expect(error.code).toBe("WINDSOCK_LISTEN");
  expect(error.message).toContain(`Expected port ${port} of 127.0.0.1 to be free, got it taken`);
  expect(seen).toEqual([]);
  await new Promise((resolve) => tcp.close(resolve));
});

// Node throws a RangeError of its own for these, with no word of what to do.
for (const port of [-1, 65_536, 1.5, Number.NaN]) {
  test(`the port ${port} is refused in a sentence`, async () => {
    const error = await refusal({ port });
    expect(error.code).toBe("WINDSOCK_OPTION");
    expect(error.message).toContain(
      `Expected \`port\` to be an integer of 0 to 65535, got ${port}`,
    );
  });
}

// It was taken for "not set": the server listened where nobody expected it.
test("a variable PORT that is no port is refused in a sentence", async () => {
  const before = process.env["PORT"];
  process.env["PORT"] = "80 80";
  try {
    const error = await refusal({});
    expect(error.code).toBe("WINDSOCK_OPTION");
    expect(error.message).toContain(
      'Expected the variable PORT to be an integer of 0 to 65535, got "80 80"',
    );
  } finally {
    if (before === undefined) delete process.env["PORT"];
    else process.env["PORT"] = before;
  }
});

test("a host that is none is told in a sentence", async () => {
  const error = await refusal({ port: 0, host: "256.256.256.256" });
  expect(error.code).toBe("WINDSOCK_LISTEN");
  expect(error.message).toMatch(/^Expected to listen on port 0 of 256\.256\.256\.256, got /);
});
