import type { Browser, CDPSession } from "playwright-core";

interface Evaluated {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly text: string };
}

interface Answer {
  readonly id: number;
  readonly error?: { readonly message: string };
  readonly result?: unknown;
}

/**
 * A page that tells nothing unless it is asked.
 *
 * Playwright has each message of a WebSocket sent to it, text and all, which cost a page that follows a log a
 * fifth of its main thread. So it knows nothing of these pages: they are spoken to through the browser.
 */
export class QuietPage {
  readonly #session: CDPSession;
  readonly #contextId: string;
  readonly #sessionId: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  private constructor(session: CDPSession, contextId: string, sessionId: string) {
    this.#session = session;
    this.#contextId = contextId;
    this.#sessionId = sessionId;
    session.on("Target.receivedMessageFromTarget", (event) => {
      const answer = JSON.parse(event.message) as Answer;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  static async open(browser: Browser, url: string): Promise<QuietPage> {
    const session = await browser.newBrowserCDPSession();
    const { browserContextId } = await session.send("Target.createBrowserContext");
    const { targetId } = await session.send("Target.createTarget", {
      url: "about:blank",
      browserContextId,
      width: 1280,
      height: 800,
    });
    const { sessionId } = await session.send("Target.attachToTarget", { targetId, flatten: false });
    const page = new QuietPage(session, browserContextId, sessionId);
    // Answered when the new document is there.
    await page.#ask("Page.navigate", { url });
    return page;
  }

  /** Runs an expression in the page, and gives what it, or its promise, comes to. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const params = { expression, returnByValue: true, awaitPromise: true };
    const answer = (await this.#ask("Runtime.evaluate", params)) as Evaluated;
    if (answer.exceptionDetails !== undefined) throw new Error(answer.exceptionDetails.text);
    return answer.result.value as Value;
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    await this.evaluate(
      `new Promise((resolve) => { const look = () => (${expression}) ? resolve() : requestAnimationFrame(look); look(); })`,
    );
  }

  async close(): Promise<void> {
    await this.#session.send("Target.disposeBrowserContext", {
      browserContextId: this.#contextId,
    });
    await this.#session.detach();
  }

  async #ask(method: string, params: object): Promise<unknown> {
    const id = ++this.#asked;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    const message = JSON.stringify({ id, method, params });
    await this.#session.send("Target.sendMessageToTarget", { sessionId: this.#sessionId, message });
    const { error, result } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }
}
