import { headerCount, headerText } from "./raw-headers.ts";
import { quote, type Refusal, refuse } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";

/** Checks the fields that make a request a WebSocket handshake (RFC 6455, section 4.2.1, items 1 and 3 to 6). */
export function checkHandshake({ method, rawHeaders }: RequestHead): Refusal | undefined {
  if (method !== "GET") {
    return refuse(405, `Expected GET for an upgrade, got ${method}.`, { Allow: "GET" });
  }
  const upgrade = headerText(rawHeaders, "upgrade");
  if (upgrade.toLowerCase() !== "websocket") {
    return refuse(426, `Expected \`Upgrade: websocket\`, got ${quote(upgrade)}.`, {
      Upgrade: "websocket",
      Connection: "Upgrade, close",
    });
  }
  const connection = headerText(rawHeaders, "connection", ",");
  if (!isUpgradeAmong(connection)) {
    return refuse(400, `Expected \`Connection: Upgrade\`, got ${quote(connection)}.`);
  }
  const version = headerText(rawHeaders, "sec-websocket-version");
  if (version !== "13") {
    // RFC 6455, section 4.4: the answer names the versions that would do.
    const sentence = `Expected \`Sec-WebSocket-Version: 13\`, got ${quote(version)}.`;
    return refuse(426, sentence, {
      "Sec-WebSocket-Version": "13",
      Upgrade: "websocket",
      Connection: "Upgrade, close",
    });
  }
  const key = headerText(rawHeaders, "sec-websocket-key");
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    return refuse(400, `Expected one Sec-WebSocket-Key of 16 bytes in Base64, got ${quote(key)}.`);
  }
  // What follows an upgrade's head is frames; a body would be read as such.
  const length = headerText(rawHeaders, "content-length");
  const isEncoded = headerCount(rawHeaders, "transfer-encoding") > 0;
  if (isEncoded || !/^(?:0?)$/.test(length)) {
    return refuse(
      400,
      "Expected an upgrade without a body: send no Content-Length or Transfer-Encoding.",
    );
  }
  return undefined;
}

function isUpgradeAmong(connection: string): boolean {
  // What Chromium sends.
  if (connection === "Upgrade") return true;
  return connection.split(",").some((each) => each.trim().toLowerCase() === "upgrade");
}
