import { AutobuildError } from "../errors.ts";

const maxInputBytes = 1024 * 1024;

/** Where a command reads and writes: data on stdout, everything for people on stderr. */
export class Terminal {
  readonly #input: NodeJS.ReadStream;
  readonly #output: NodeJS.WriteStream;
  readonly #messages: NodeJS.WriteStream;
  #status = "";

  constructor(
    input: NodeJS.ReadStream = process.stdin,
    output: NodeJS.WriteStream = process.stdout,
    messages: NodeJS.WriteStream = process.stderr,
  ) {
    this.#input = input;
    this.#output = output;
    this.#messages = messages;
  }

  /** Ends the process when nobody reads any more, as `| head` does. Not for a server. */
  endWithReader(): void {
    this.#output.on("error", () => process.exit(0));
  }

  /** Whether a person looks at the output. */
  get isInteractive(): boolean {
    return this.#output.isTTY === true && this.#messages.isTTY === true;
  }

  /** Writes data. Resolves when there is room for more. */
  async write(text: string): Promise<void> {
    this.#clearStatus();
    if (!this.#output.write(text))
      await new Promise<void>((resolve) => this.#output.once("drain", resolve));
    this.#drawStatus();
  }

  print(line: string): Promise<void> {
    return this.write(`${line}\n`);
  }

  json(value: unknown): Promise<void> {
    return this.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** Says something to a person that is not what was asked for. */
  say(line: string): void {
    this.#clearStatus();
    this.#messages.write(`${line}\n`);
    this.#drawStatus();
  }

  /** Shows one line below everything, in place of the one before; "" takes it away. Only where a person looks. */
  status(line: string): void {
    if (!this.isInteractive) return;
    this.#clearStatus();
    this.#status = line.slice(0, Math.max(0, (this.#messages.columns ?? 80) - 1));
    this.#drawStatus();
  }

  /**
   * Reads a secret: typed without being shown, or the whole of stdin without the newline at its end.
   *
   * Never an argument: other users of a machine can see those.
   */
  async readSecret(prompt: string, { again = false } = {}): Promise<string> {
    if (this.#input.isTTY !== true) return (await readAll(this.#input)).replace(/\r?\n$/, "");
    const first = await this.#ask(`${prompt}: `);
    if (again && (await this.#ask(`${prompt} once more: `)) !== first) {
      throw new AutobuildError(
        "AUTOBUILD_BAD_OPTION",
        "Expected the same text twice, got two. Try again.",
      );
    }
    return first;
  }

  #ask(prompt: string): Promise<string> {
    const input = this.#input;
    const messages = this.#messages;
    messages.write(prompt);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let typed = "";
    const handleData = (bytes: Buffer): void => {
      for (const character of bytes.toString("utf8")) {
        switch (character) {
          case "\r":
          case "\n":
            resolve(typed);
            return;
          case "\u0003":
          case "\u0004":
            reject(new AutobuildError("AUTOBUILD_STOPPED", "Nothing was changed."));
            return;
          case "\u0008":
          case "\u007f":
            typed = Array.from(typed).slice(0, -1).join("");
            break;
          default:
            if (character >= " ") typed += character;
        }
      }
    };
    input.setRawMode(true);
    input.on("data", handleData);
    input.resume();
    return promise.finally(() => {
      input.off("data", handleData);
      input.setRawMode(false);
      input.pause();
      messages.write("\n");
    });
  }

  #clearStatus(): void {
    if (this.#status !== "") this.#messages.write("\r\u001B[2K");
  }

  #drawStatus(): void {
    if (this.#status !== "") this.#messages.write(this.#status);
  }
}

async function readAll(input: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxInputBytes) {
      throw new AutobuildError(
        "AUTOBUILD_BAD_OPTION",
        `Expected at most ${maxInputBytes} bytes on stdin, got more.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
