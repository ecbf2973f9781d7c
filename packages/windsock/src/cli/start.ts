import type { ServeOptions } from "./command-line.ts";
import { serve } from "./serve.ts";

/** `windsock start`: serves until a signal comes. */
export async function start(options: ServeOptions): Promise<void> {
  const { server, banner } = await serve(options);
  server.stopOnSignals();
  console.log(banner);
}
