import { open } from "node:fs/promises";
import { systemCodeOf } from "../errors.ts";

/** Bytes of a file; fewer where it ends before, none where it is gone: removed by retention, or by somebody. */
export async function readRange(file: string, from: number, length: number): Promise<Buffer> {
  if (length <= 0) return Buffer.alloc(0);
  let handle;
  try {
    handle = await open(file, "r");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, from + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await handle.close();
  }
}
