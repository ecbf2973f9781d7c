import { parseCookie } from "cookie";
import type { RequestData } from "../protocol/port.ts";
import type { UpgradeRequest } from "./types.ts";

/** The request as the app sees it, made from the data that crosses the port. */
export function upgradeRequestOf(data: RequestData): UpgradeRequest {
  return new LazyUpgradeRequest(data);
}

class LazyUpgradeRequest implements UpgradeRequest {
  readonly #data: RequestData;
  #url: URL | undefined;
  #headers: Headers | undefined;
  #cookies: ReadonlyMap<string, string> | undefined;

  constructor(data: RequestData) {
    this.#data = data;
  }

  get url(): URL {
    this.#url ??= new URL(this.#data.url);
    return this.#url;
  }

  get auth(): unknown {
    return this.#data.auth;
  }

  get remoteAddress(): string {
    return this.#data.remoteAddress;
  }

  get headers(): Headers {
    if (this.#headers === undefined) {
      const headers = new Headers();
      const raw = this.#data.rawHeaders;
      for (let index = 0; index + 1 < raw.length; index += 2)
        headers.append(raw[index] ?? "", raw[index + 1] ?? "");
      this.#headers = headers;
    }
    return this.#headers;
  }

  get cookies(): ReadonlyMap<string, string> {
    if (this.#cookies === undefined) {
      const cookies = new Map<string, string>();
      for (const [name, value] of Object.entries(parseCookie(this.headers.get("cookie") ?? ""))) {
        if (value !== undefined) cookies.set(name, value);
      }
      this.#cookies = cookies;
    }
    return this.#cookies;
  }
}
