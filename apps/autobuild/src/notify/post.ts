import { setTimeout as sleep } from "node:timers/promises";

/** A delivery that did not come about. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  /** Whether the same may work later. */
  readonly isTemporary: boolean;

  constructor(message: string, isTemporary: boolean, options?: { cause?: unknown }) {
    super(message, options);
    this.isTemporary = isTemporary;
  }
}

const answerTimeoutMs = 15_000;
const shownChars = 200;

/**
 * Sends JSON. Throws a `DeliveryError` for every answer that is not 2xx.
 *
 * Redirects are not followed: they would carry a token to another host.
 */
export async function postJson(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const { host } = new URL(url);
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", "user-agent": "AutoBuild", ...headers },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]),
    });
  } catch (error) {
    throw new DeliveryError(`${host} could not be reached: ${reasonOf(error)}`, true, {
      cause: error,
    });
  }
  const text = await beginningOf(response);
  if (response.ok) return;
  const { status } = response;
  const isTemporary = status === 408 || status === 425 || status === 429 || status >= 500;
  throw new DeliveryError(
    `${host} answered ${status}${text === "" ? "" : `: ${text}`}`,
    isTemporary,
  );
}

/** The first characters of an answer, on one line; the rest is not read. */
async function beginningOf({ body }: Response): Promise<string> {
  if (body === null) return "";
  const reader = body.getReader();
  try {
    const first = await Promise.race([reader.read(), sleep(1000, undefined, { ref: false })]);
    const text = new TextDecoder().decode(first?.value?.subarray(0, 4 * shownChars));
    return text.replace(/\s+/g, " ").trim().slice(0, shownChars);
  } catch {
    return "";
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
