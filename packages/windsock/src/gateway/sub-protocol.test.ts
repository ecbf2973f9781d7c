import { describe, expect, test } from "vitest";
import { attempt } from "../../test/admission-rig.ts";

describe("the sub-protocol (RFC 6455, section 4.2.2)", () => {
  const chat = (offers: string | null | string[], listed: string[] = [], url = "/websocket/chat") =>
    attempt({ url, listed, headers: { "Sec-WebSocket-Protocol": offers } });

  test.each([
    [null, [], undefined],
    [null, ["chat.v2"], undefined],
    ["chat.v1", [], undefined],
    ["chat.v1, chat.v2", [], undefined],
    ["chat.v1, chat.v2", ["chat.v2"], "chat.v2"],
    ["chat.v1,chat.v2", ["chat.v2", "chat.v1"], "chat.v1"],
    [["chat.v1", "chat.v2"], ["chat.v2"], "chat.v2"],
    ["chat.v2, windsock.v1", ["chat.v2"], "chat.v2"],
  ])("offered as %j where %j are listed is %j", (offers, listed, protocol) => {
    expect(chat(offers, listed)).toMatchObject({ type: "admit", protocol });
  });

  test.each([
    ["chat.v3", ["chat.v1", "chat.v2"], "one of the sub-protocols chat.v1, chat.v2, or none"],
    ["Chat.v1", ["chat.v1"], "one of the sub-protocols"],
    ["", [], "tokens"],
    ["a,,b", [], "tokens"],
    ["a b", [], "tokens"],
    ["a;b", ["a"], "tokens"],
    ["a, a", ["a"], "once"],
    [["a", "a"], ["a"], "once"],
  ])("offered as %j where %j are listed is refused", (offers, listed, sentence) => {
    expect(chat(offers, listed)).toMatchObject({
      status: 400,
      body: expect.stringContaining(sentence) as string,
    });
  });

  test("windsock.v1 is the only one at the root", () => {
    expect(chat("windsock.v1", [], "/websocket")).toMatchObject({
      type: "admit",
      endpoint: "multiplex",
      protocol: "windsock.v1",
      path: undefined,
    });
    expect(chat("other, windsock.v1", [], "/websocket")).toMatchObject({ protocol: "windsock.v1" });
    expect(chat(null, [], "/websocket")).toMatchObject({ status: 400 });
    expect(chat("other", [], "/websocket")).toMatchObject({ status: 400 });
  });

  test.each([
    ["/websocket/chat?a=/websocket/b", ["windsock.v1"], "chat?a=/websocket/b"],
    ["/websocket/chat", ["chat.v2"], "chat"],
    // What is wrong with a path is for its join to say.
    ["/websocket/nobody", [], "nobody"],
    ["/websocket/chat/", [], "chat/"],
    ["/websocket/", [], ""],
    ["/websocket/%ff", [], "%ff"],
  ])("windsock.v1 below the root, at %s, asks for a join as well", (target, listed, path) => {
    expect(chat("windsock.v1", listed, target)).toMatchObject({
      type: "admit",
      endpoint: "multiplex",
      protocol: "windsock.v1",
      path,
    });
  });

  test("windsock.v1 elsewhere is at no service's path", () => {
    expect(chat("windsock.v1", [], "/other/chat")).toMatchObject({ status: 404 });
  });
});
