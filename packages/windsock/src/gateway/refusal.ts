import { STATUS_CODES } from "node:http";

/** An HTTP answer that ends the matter. The body is one sentence: expected, came, what to do. */
export interface Refusal {
  readonly type: "refuse";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function refuse(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  const text = `${body}\n`;
  return {
    type: "refuse",
    status,
    body: text,
    headers: {
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Length": String(Buffer.byteLength(text)),
      // The sentence may quote what came, which no browser shall take for anything but text.
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-store",
      ...headers,
    },
  };
}

/** A refusal as bytes for the socket of an upgrade, which no `ServerResponse` writes to. */
export function refusalBytes(refusal: Refusal): Buffer {
  const lines = Object.entries({ Connection: "close", ...refusal.headers });
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? "Refused"}`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${refusal.body}`);
}

/** What came, for a sentence: cut to a length and escaped. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
