import type { Autobuild } from "./autobuild.ts";
import { AutobuildError } from "./errors.ts";

// Services are files, so they cannot be handed what they show: they find it here. One AutoBuild a process.
let running: Autobuild | undefined;

/** Says which AutoBuild the services show. */
export function setRunning(autobuild: Autobuild | undefined): void {
  running = autobuild;
}

/** The AutoBuild that the services show. */
export function currentAutobuild(): Autobuild {
  if (running === undefined) {
    throw new AutobuildError(
      "AUTOBUILD_STOPPED",
      "Expected a running AutoBuild, got none: start the server with `startServer`.",
    );
  }
  return running;
}
