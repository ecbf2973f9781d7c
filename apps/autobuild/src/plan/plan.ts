/** How a checkout will be built. */
export interface Plan {
  /** Why this plan: what was found. One line for the log. */
  readonly reason: string;
  /** At least one; they run in this order, and the first that fails ends the build. */
  readonly steps: readonly PlannedStep[];
  /** Variables from the configuration, on top of those that every step gets. */
  readonly environment: Readonly<Record<string, string>>;
}

/** One command of a plan. */
export interface PlannedStep {
  readonly name: string;
  /** Run as it is, with no shell, unless it names one itself. */
  readonly argv: readonly [string, ...string[]];
  /** The command as a person would type it. */
  readonly command: string;
  /** @default 1_800_000, half an hour */
  readonly timeoutMs: number;
}

export const defaultStepTimeoutMs = 30 * 60_000;

/** A step without a shell. Its command line is for reading only, and not quoted for one. */
export function step(name: string, ...argv: [string, ...string[]]): PlannedStep {
  return { name, argv, command: argv.join(" "), timeoutMs: defaultStepTimeoutMs };
}
