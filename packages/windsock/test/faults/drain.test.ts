import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { serve } from "../serve.ts";

// The actor of a service ends early in a drain, while the server still answers HTTP until its
// last connection is gone. A publish then found no actor and was answered as one to a key that
// nobody has joined: 202 with `seq` 0. It was lost, and its sender told that it was taken.
test("a publish to a service that has ended in a drain is refused, not acknowledged", async () => {
  const { promise: finish, resolve } = Promise.withResolvers<void>();
  const services = {
    status: defineService({}),
    slow: defineService({ terminate: () => finish }),
  };
  const { server } = await serve(services, { publishToken: "0123456789abcdef" });
  const stopped = server.stop();
  while (server.services().some(({ name }) => name === "status")) await settle();
  const answer = await fetch(`${server.url}/websocket/status`, {
    method: "POST",
    body: "late",
    headers: { authorization: "Bearer 0123456789abcdef" },
  });
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toBe("1");
  resolve();
  await stopped;
});
