/** How a checkout will be built. Plain JSON, so that it can be handed to another process. */
export interface Plan {
  /** Why this plan: what was found. One line for the log. */
  readonly reason: string;
  /** At least one, each after those that it needs. */
  readonly steps: readonly PlannedStep[];
  /** Variables from the configuration, on top of those that every step gets. */
  readonly environment: Readonly<Record<string, string>>;
  /** For the whole build, from its checkout on. @default 7_200_000, two hours */
  readonly timeoutMs: number;
  /** What belongs to the checkout besides the commit. @default nothing */
  readonly checkout?: PlannedCheckout;
}

/** What a checkout has besides the files of its commit. */
export interface PlannedCheckout {
  readonly submodules: boolean;
  /** Files of Git LFS. */
  readonly lfs: boolean;
}

/** One command of a plan. */
export interface PlannedStep {
  /** Unlike all others of the plan. A step of a matrix has its values behind it: `test (node=26)`. */
  readonly name: string;
  /** Run as it is, with no shell, unless it names one itself. */
  readonly argv: readonly [string, ...string[]];
  /** The command as a person would type it. */
  readonly command: string;
  /** Names of the steps that must pass before this one starts. Steps that need nothing start at once. */
  readonly needs: readonly string[];
  /** On top of the plan's. */
  readonly environment: Readonly<Record<string, string>>;
  /** For each attempt. @default 1_800_000, half an hour */
  readonly timeoutMs: number;
  /** The longest time without output, for each attempt; null: any. @default null */
  readonly silenceTimeoutMs: number | null;
  /** More attempts after one that did not pass. @default none */
  readonly retry: Retry;
  /** Whether its output is a terminal. @default true */
  readonly tty: boolean;
  /** A container image to run it in, with the workspace mounted; null: on this machine. @default null */
  readonly image: string | null;
  /** Names of the secrets that it gets as variables. @default none */
  readonly secrets: readonly string[];
  /** Globs of files in the workspace to keep. @default none */
  readonly artifacts: readonly string[];
  /** Globs of test reports in the workspace, JUnit XML or TAP. @default none */
  readonly reports: readonly string[];
}

/** When a step is tried again. One that passes on a later attempt is shown as flaky, never as a plain success. */
export interface Retry {
  /** Attempts after the first, 0 to 10. */
  readonly times: number;
  /** `exit`: the command failed or was killed; `timeout`: it ran out of time or was silent for too long. */
  readonly on: readonly ("exit" | "timeout")[];
}

export const defaultStepTimeoutMs = 30 * 60_000;
export const defaultBuildTimeoutMs = 2 * 60 * 60_000;

/** What a step is unless it says otherwise. */
export const stepDefaults = {
  needs: [],
  environment: {},
  timeoutMs: defaultStepTimeoutMs,
  silenceTimeoutMs: null,
  retry: { times: 0, on: ["exit", "timeout"] },
  tty: true,
  image: null,
  secrets: [],
  artifacts: [],
  reports: [],
} satisfies Omit<PlannedStep, "name" | "argv" | "command">;

/** A step without a shell. Its command line is for reading only, and not quoted for one. */
export function step(name: string, ...argv: [string, ...string[]]): PlannedStep {
  return { ...stepDefaults, name, argv, command: argv.join(" ") };
}

/** A plan whose steps run one after the other. */
export function inSequence(
  reason: string,
  steps: readonly PlannedStep[],
  environment: Readonly<Record<string, string>> = {},
): Plan {
  return {
    reason,
    steps: steps.map((each, index) => {
      const before = steps[index - 1];
      return before === undefined ? each : { ...each, needs: [before.name] };
    }),
    environment,
    timeoutMs: defaultBuildTimeoutMs,
  };
}
