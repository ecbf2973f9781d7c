import type { BuildOutcome } from "../build/build-execution.ts";
import type { Build } from "../build/build.ts";
import type { BuildOrigin } from "../build/origin.ts";
import type { RepositorySource } from "../git/source.ts";
import type { RecordOptions } from "./build-record.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** All that a runner needs to know of its build. It comes over its standard input: a secret never lies on the disk. */
export interface RunnerOrder {
  readonly build: Build;
  readonly cookie: string;
  readonly origin: BuildOrigin;
  /** Undefined for a repository that is built no more. */
  readonly source: RepositorySource | undefined;
  readonly mirrorFolder: string;
  readonly workspacesFolder: string;
  readonly passEnv: readonly string[];
  /** How much less urgent steps are than the runner. */
  readonly niceness: number;
  /** By name, those that steps may ask for. */
  readonly secrets: Readonly<Record<string, string>>;
  /** By name, why it could not be opened: a build that asks for it fails with that. */
  readonly unopenedSecrets: Readonly<Record<string, string>>;
  readonly recordOptions: RecordOptions;
}

/** What `runner.json` says. */
export interface RunnerFile extends ProcessIdentity {
  readonly cookie: string;
}

/** A line from the server to a runner. */
export type RunnerCommand = { readonly type: "cancel"; readonly outcome: BuildOutcome };

/** A line from a runner to each server that is connected: at first, and whenever something has grown. */
export interface RunnerNews {
  /** The length of the console log. */
  readonly console: number;
  /** Logs that have grown, by position (null: the setup log) and attempt. */
  readonly logs: readonly (readonly [position: number | null, attempt: number])[];
  readonly hasJournalGrown: boolean;
}

/** The socket's name in the build's folder. */
export const socketName = "runner.sock";
