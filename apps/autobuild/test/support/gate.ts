import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { temporaryFolder } from "./temporary.ts";

/** Something that a step waits for until the test lets it go on. */
export class Gate {
  /** Is there once the gate is open. */
  readonly file: string = path.join(temporaryFolder(), "open");

  /** A shell line that waits until the gate is open. */
  get wait(): string {
    return `while [ ! -e '${this.file}' ]; do sleep 0.02; done`;
  }

  open(): void {
    if (!existsSync(this.file)) writeFileSync(this.file, "");
  }
}
