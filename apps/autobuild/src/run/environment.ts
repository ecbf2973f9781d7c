/**
 * The variables that a step inherits from AutoBuild: who, where and in which language; where tools keep
 * themselves; the way through a proxy. Nothing that holds a secret by custom.
 */
const inheritedVariables = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "TMPDIR",
  "TZ",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "XDG_CACHE_HOME",
  "XDG_CONFIG_HOME",
  "XDG_DATA_HOME",
  "XDG_RUNTIME_DIR",
  "CARGO_HOME",
  "RUSTUP_HOME",
  "GOPATH",
  "GOROOT",
  "JAVA_HOME",
  "PYENV_ROOT",
  "NVM_DIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
] as const;

/** What is particular about one build's environment. */
export interface EnvironmentOptions {
  readonly buildId: number;
  readonly sha: string;
  readonly branch: string;
  /** What led to the build, if that is known. */
  readonly event?: string | undefined;
  /** The tag that is built, if it is one. */
  readonly tag?: string | undefined;
  /** Whether the step's output is a terminal. @default false */
  readonly isTerminal?: boolean;
  readonly cookie: string;
  /** From the configuration in the repository. */
  readonly configured: Readonly<Record<string, string>>;
  /** Names of further variables to inherit. */
  readonly passEnv: readonly string[];
}

/** The name of the variable that marks every process of a build. */
export const cookieVariable = "AUTOBUILD_COOKIE";

/**
 * What tells tools whether they write to a terminal, and may use colour: the truth in either case.
 *
 * Some tools know only one of the variables for colour, and some take the other for a yes whatever its value is.
 */
function terminalVariables(isTerminal: boolean): Record<string, string> {
  return isTerminal
    ? { TERM: "xterm-256color", FORCE_COLOR: "1", CLICOLOR_FORCE: "1" }
    : { TERM: "dumb", FORCE_COLOR: "0", NO_COLOR: "1" };
}

/**
 * Makes the whole environment of a build's steps.
 *
 * Tools are told to use colour where the output is a terminal, and not to elsewhere. A configuration that
 * sets `FORCE_COLOR` gets what it asks for; the log keeps escape sequences.
 */
export function buildEnvironment(
  options: EnvironmentOptions,
  own: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const inherited = inheritedEnvironment(own, options.passEnv);
  const terminal = terminalVariables(options.isTerminal ?? false);
  if (options.configured["FORCE_COLOR"] !== undefined) delete terminal["NO_COLOR"];
  return {
    ...inherited,
    CI: "1",
    ...terminal,
    PAGER: "cat",
    GIT_TERMINAL_PROMPT: "0",
    ...options.configured,
    AUTOBUILD: "1",
    AUTOBUILD_BUILD: String(options.buildId),
    AUTOBUILD_COMMIT: options.sha,
    AUTOBUILD_BRANCH: options.branch,
    ...(options.event !== undefined && { AUTOBUILD_EVENT: options.event }),
    ...(options.tag !== undefined && { AUTOBUILD_TAG: options.tag }),
    // In a build of AutoBuild, its own builds carry the outer cookie too, so that ending the outer build ends them.
    [cookieVariable]: joinCookies(own[cookieVariable], options.cookie),
  };
}

/** What is inherited from AutoBuild: nothing that holds a secret by custom, unless somebody passes it on by name. */
export function inheritedEnvironment(
  own: NodeJS.ProcessEnv = process.env,
  passEnv: readonly string[] = [],
): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const name of [...inheritedVariables, ...passEnv]) {
    const value = own[name];
    if (value !== undefined) inherited[name] = value;
  }
  return inherited;
}

/** The cookies of a process of a build: those of the builds around it, and its own once. */
export function joinCookies(outer: string | undefined, cookie: string): string {
  const others = (outer ?? "").split(",").filter((other) => other !== "" && other !== cookie);
  return [...others, cookie].join(",");
}
