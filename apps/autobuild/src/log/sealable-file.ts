import type { LogBytes, PlainFile } from "./log-bytes.ts";
import type { SealedLogs } from "./sealed-logs.ts";

/**
 * The bytes of a file that is sealed some day. Who reads it meanwhile notices nothing.
 *
 * A file goes only after its copy can be seen, so what is in neither place is gone for good.
 */
export class SealableFile implements LogBytes {
  readonly #file: PlainFile;
  readonly #sealed: SealedLogs;
  readonly #buildId: number;
  readonly #name: string;
  readonly #handleRead: () => void;

  constructor(
    file: PlainFile,
    sealed: SealedLogs,
    buildId: number,
    name: string,
    handleRead: () => void,
  ) {
    this.#file = file;
    this.#sealed = sealed;
    this.#buildId = buildId;
    this.#name = name;
    this.#handleRead = handleRead;
  }

  async size(): Promise<number | undefined> {
    return (await this.#file.size()) ?? this.#sealed.find(this.#buildId, this.#name)?.length;
  }

  async read(from: number, length: number): Promise<Buffer> {
    this.#handleRead();
    return (
      (await this.#file.readIfThere(from, length)) ??
      (await this.#sealed.read(this.#buildId, this.#name, from, length)) ??
      Buffer.alloc(0)
    );
  }
}
