import { createServer as createHttp } from "node:http";
import { describe, expect, test } from "vitest";
import { attach, createServer, defineService, OptionError } from "../index.ts";
import type { ServerOptions } from "./options.ts";

const echo = defineService({});
const keyed = defineService({ params: ["id"] });

describe("an option of a server that cannot be is refused, with what was expected and what came", () => {
  test.each([
    [{ prot: 1 }, "got `prot`. Did you mean `port`?"],
    [{ origin: "https://app.example" }, "got `origin`. Did you mean `origins`?"],
    [{ origins: "https://app.example" }, '(["https://app.example"]) or "*", got "https://app'],
    [{ allowedHosts: "app.example" }, '(["build.example"]) or "*", got "app.example"'],
    [{ services: 5 }, "Expected `services` to be a folder, or services by name"],
    [{ services: [echo] }, "got an array"],
    [{ services: { echo: 5 } }, "made with `defineService({...})`, got 5 (number)"],
    [{ services: { echo: { default: echo } } }, "got an object with the keys default"],
    [{ services: { "room/[id]": echo } }, 'Expected `params: ["id"]` in the service "room/[id]"'],
    [{ services: { room: keyed } }, 'got `params: ["id"]`'],
    [{ host: 1 }, "Expected `host` to be an address"],
    [{ historyFile: 5 }, "Expected `historyFile` to be the path of a file, got 5 (number)"],
    [{ publicFolder: true }, "Expected `publicFolder` to be the path of a folder"],
    [{ request: "page" }, "Expected `request` to be a function of a request and a response"],
    [{ health: {} }, "Expected `health` to be a function"],
    [{ onReport: 5 }, "Expected `onReport` to be a function"],
    [{ clock: Date }, "Expected `clock` to be a clock with `now()`"],
    [{ limits: 5 }, "Expected `limits` to be an object of limits by name, got 5 (number)"],
    [5, "Expected the server's options to be an object, got 5 (number)"],
  ])("%j", async (given, message) => {
    const options = (
      typeof given === "object" ? { port: 0, services: { echo }, ...given } : given
    ) as ServerOptions;
    const starting = createServer(options);
    await expect(starting).rejects.toThrow(OptionError);
    await expect(starting).rejects.toThrow(message);
  });

  test("what is undefined counts as not given", async () => {
    const options = {
      request: undefined,
      host: undefined,
      clock: undefined,
    } as unknown as ServerOptions;
    const server = await createServer({ port: 0, services: { echo }, ...options });
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    await server.stop();
  });
});

test.each([
  ["an app, such as Express's", Object.assign(() => {}, createHttp())],
  ["nothing", undefined],
  ["an object", {}],
])("attaching to %s is refused, with what to give instead", async (_, given) => {
  const attaching = attach(given as never, { services: { echo } });
  await expect(attaching).rejects.toThrow(OptionError);
  await expect(attaching).rejects.toThrow("`http.createServer(app)`");
});
