import { stopOnSignals } from "../node/signals.ts";
import type { ServeOptions } from "./command-line.ts";
import { defaultDrainTimeoutMs, type FromDevServer } from "./dev-protocol.ts";
import { isMisuse, serve } from "./serve.ts";

/**
 * The server of `windsock dev`, in a process of its own. It stops when its parent says so or is
 * gone. By message, since a signal for the whole process group would count as a second one.
 */
export async function devServer(options: ServeOptions): Promise<void> {
  if (process.send === undefined)
    throw new Error("Expected to be started by `windsock dev`, got no parent to report to.");
  try {
    const { server, banner } = await serve(
      { ...options, drainTimeoutMs: options.drainTimeoutMs ?? defaultDrainTimeoutMs },
      { isDev: true },
    );
    const stop = (): void => void server.stop().then(() => process.exit(0));
    stopOnSignals(() => server.stop());
    process.on("message", stop);
    process.on("disconnect", stop);
    console.log(banner);
    await tell({ type: "listening", port: server.port });
  } catch (error) {
    await tell({ type: "failed", isFinal: isMisuse(error) });
    throw error;
  }
}

/** Settles when the parent has it, or is gone. */
function tell(message: FromDevServer): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}
