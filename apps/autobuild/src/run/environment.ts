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
  readonly cookie: string;
  /** From the configuration in the repository. */
  readonly configured: Readonly<Record<string, string>>;
  /** Names of further variables to inherit. */
  readonly passEnv: readonly string[];
}

/** The name of the variable that marks every process of a build. */
export const cookieVariable = "AUTOBUILD_COOKIE";

// Some tools know only the one, and some take the other for a yes whatever its value is.
const noColour = { FORCE_COLOR: "0", NO_COLOR: "1" };

/**
 * Makes the whole environment of a build's steps.
 *
 * Colour is off, since the plainest page shows text as it is. A configuration that sets `FORCE_COLOR`
 * gets what it asks for; the log keeps escape sequences.
 */
export function buildEnvironment(
  options: EnvironmentOptions,
  own: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const name of [...inheritedVariables, ...options.passEnv]) {
    const value = own[name];
    if (value !== undefined) inherited[name] = value;
  }
  return {
    ...inherited,
    CI: "1",
    TERM: "dumb",
    ...(options.configured["FORCE_COLOR"] === undefined ? noColour : {}),
    PAGER: "cat",
    GIT_TERMINAL_PROMPT: "0",
    ...options.configured,
    AUTOBUILD: "1",
    AUTOBUILD_BUILD: String(options.buildId),
    AUTOBUILD_COMMIT: options.sha,
    AUTOBUILD_BRANCH: options.branch,
    // In a build of AutoBuild, its own builds carry the outer cookie too, so that ending the outer build ends them.
    [cookieVariable]: [own[cookieVariable], options.cookie]
      .filter((cookie) => cookie !== undefined && cookie !== "")
      .join(","),
  };
}
