// Carries out what a `SealingThread` orders.
import os from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { isDiskFull, messageOf } from "../errors.ts";
import { SealedLogWriter } from "./sealed-log-writer.ts";
import type { SealingAnswer, SealingOrder } from "./sealing-thread.ts";

const { dataDir } = workerData as { readonly dataDir: string };

// On Linux the priority is that of a thread; elsewhere it would be that of the whole server.
if (process.platform === "linux") os.setPriority(0, os.constants.priority.PRIORITY_LOW);

let writer: SealedLogWriter | undefined;

parentPort?.on("message", (order: SealingOrder) => {
  parentPort?.postMessage(answer(order));
});

function answer(order: SealingOrder): SealingAnswer {
  try {
    writer ??= new SealedLogWriter(dataDir);
    switch (order.type) {
      case "seal":
        return { type: "done", sealing: writer.seal(order.buildId, order.folder) };
      case "remove":
        writer.remove(order.buildId);
        return { type: "done", sealing: null };
    }
  } catch (error) {
    // Opened anew for the next order: what a failed write left is cleared away then.
    try {
      writer?.close();
    } catch {
      // It says the same again.
    }
    writer = undefined;
    return { type: "failed", message: messageOf(error), isDiskFull: isDiskFull(error) };
  }
}
