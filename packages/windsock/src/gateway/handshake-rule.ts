import { headerValues } from "./raw-headers.ts";
import { quote, type Refusal, refuse } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";

/** Checks the fields that make a request a WebSocket handshake (RFC 6455, section 4.2.1, items 1 and 3 to 6). */
export function checkHandshake({ method, rawHeaders }: RequestHead): Refusal | undefined {
  if (method !== "GET") {
    return refuse(405, `Expected GET for an upgrade, got ${method}.`, { Allow: "GET" });
  }
  const upgrade = headerValues(rawHeaders, "upgrade").join(", ");
  if (upgrade.toLowerCase() !== "websocket") {
    return refuse(426, `Expected \`Upgrade: websocket\`, got ${quote(upgrade)}.`, {
      Upgrade: "websocket",
      Connection: "Upgrade, close",
    });
  }
  const connection = headerValues(rawHeaders, "connection").join(",");
  if (!connection.split(",").some((each) => each.trim().toLowerCase() === "upgrade")) {
    return refuse(400, `Expected \`Connection: Upgrade\`, got ${quote(connection)}.`);
  }
  const version = headerValues(rawHeaders, "sec-websocket-version").join(", ");
  if (version !== "13") {
    // RFC 6455, section 4.4: the answer names the versions that would do.
    const sentence = `Expected \`Sec-WebSocket-Version: 13\`, got ${quote(version)}.`;
    return refuse(426, sentence, {
      "Sec-WebSocket-Version": "13",
      Upgrade: "websocket",
      Connection: "Upgrade, close",
    });
  }
  const key = headerValues(rawHeaders, "sec-websocket-key").join(", ");
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    return refuse(400, `Expected one Sec-WebSocket-Key of 16 bytes in Base64, got ${quote(key)}.`);
  }
  // What follows an upgrade's head is frames; a body would be read as such.
  const length = headerValues(rawHeaders, "content-length").join(", ");
  if (headerValues(rawHeaders, "transfer-encoding").length > 0 || !/^(?:0?)$/.test(length)) {
    return refuse(
      400,
      "Expected an upgrade without a body: send no Content-Length or Transfer-Encoding.",
    );
  }
  return undefined;
}
