import { spawn } from "node:child_process";
import { AutobuildError, systemCodeOf } from "../errors.ts";
import { explainForeignOwner } from "./foreign-owner.ts";

/** How one git command is run. */
export interface GitOptions {
  readonly cwd?: string;
  /** Ends the command when aborted: the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** @default 60_000 */
  readonly timeoutMs?: number;
  /** Output past this ends the command with an error. @default 16 MiB */
  readonly maxOutputBytes?: number;
  /** Transports that it may use, with colons between. @default "file:http:https:ssh" */
  readonly allowProtocols?: string;
  /** Another index than the repository's own. */
  readonly indexFile?: string;
  /** Texts that must not appear in an error, such as a URL with a password, and what to show instead. */
  readonly redact?: readonly { readonly secret: string; readonly shown: string }[];
}

const defaults = {
  timeoutMs: 60_000,
  maxOutputBytes: 16 * 1024 * 1024,
  allowProtocols: "file:http:https:ssh",
} as const;

const optionsWithValue = new Set(["-C", "-c", "--git-dir"]);
const maxErrorBytes = 8 * 1024;
const killAfterMs = 2000;

/** Settings that hold for every command, whatever the user's or a repository's configuration says. */
const fixedConfig = [
  "protocol.ext.allow=never",
  // A repository's or a template's hooks are not ours to run.
  "core.hooksPath=/dev/null",
  // Housekeeping in the background would outlive the command, and race with a folder's removal.
  "gc.autoDetach=false",
  "maintenance.autoDetach=false",
  "submodule.recurse=false",
  "core.fsmonitor=false",
  "i18n.logOutputEncoding=UTF-8",
  "advice.detachedHead=false",
  "http.lowSpeedLimit=100",
  "http.lowSpeedTime=30",
].flatMap((setting) => ["-c", setting]);

/**
 * Runs git with an argument array and returns what it printed.
 *
 * Callers put what comes from outside (URLs, commits) after `--` or `--end-of-options`. Git gets no
 * terminal, asks nothing, and speaks English. A command that fails, hangs or floods rejects with an
 * `AutobuildError` that ends with git's own last words.
 */
export function git(args: readonly string[], options: GitOptions = {}): Promise<string> {
  const {
    cwd,
    signal,
    indexFile,
    timeoutMs = defaults.timeoutMs,
    maxOutputBytes = defaults.maxOutputBytes,
    redact = [],
    allowProtocols = defaults.allowProtocols,
  } = options;
  const verb = args.find(
    (argument, index) => !argument.startsWith("-") && !optionsWithValue.has(args[index - 1] ?? ""),
  );

  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);

    // Its own group, because git leaves the network to children that a signal to git alone would miss.
    const child = spawn("git", [...fixedConfig, ...args], {
      cwd,
      env: {
        ...gitEnvironment(allowProtocols),
        ...(indexFile !== undefined && { GIT_INDEX_FILE: indexFile }),
      },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let lastWords = Buffer.alloc(0);
    let ended: unknown;

    const end = (reason: unknown): void => {
      if (ended !== undefined) return;
      ended = reason;
      signalGroup(child.pid, "SIGTERM"); // Git removes its lock files on TERM.
      killTimer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), killAfterMs);
    };
    const handleAbort = (): void => end(signal?.reason);
    let killTimer: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      end(
        new AutobuildError(
          "AUTOBUILD_GIT_TIMEOUT",
          `Expected git ${verb} to end within ${timeoutMs / 1000} s, and stopped it. Is the repository reachable from here?`,
        ),
      );
    }, timeoutMs);
    signal?.addEventListener("abort", handleAbort, { once: true });

    // Where the process has no descriptor left there are no pipes, and `error` follows.
    child.stdout?.on("data", (bytes: Buffer) => {
      outputBytes += bytes.length;
      if (outputBytes > maxOutputBytes) {
        end(
          new AutobuildError(
            "AUTOBUILD_GIT_FAILED",
            `Expected git ${verb} to print at most ${maxOutputBytes} bytes, got more and stopped it.`,
          ),
        );
      } else output.push(bytes);
    });
    child.stderr?.on("data", (bytes: Buffer) => {
      lastWords = Buffer.concat([lastWords, bytes]).subarray(-maxErrorBytes);
    });

    const settle = (settleWith: () => void): void => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      signal?.removeEventListener("abort", handleAbort);
      settleWith();
    };
    child.once("error", (error) => {
      const message =
        systemCodeOf(error) === "ENOENT"
          ? "Expected the program git on the PATH (and its working folder to exist), found none. Install git 2.30 or newer."
          : `git ${verb} could not be started: ${error.message}`;
      settle(() => reject(new AutobuildError("AUTOBUILD_GIT_FAILED", message, { cause: error })));
    });
    child.once("close", (code, endSignal) => {
      settle(() => {
        if (ended !== undefined) reject(ended);
        else if (code === 0) resolve(Buffer.concat(output).toString("utf8"));
        else {
          const said = redacted(lastWords.toString("utf8").trim(), redact);
          const how = code === null ? `was ended by ${endSignal}` : `exited with ${code}`;
          void explainForeignOwner(said).then((explained) =>
            reject(
              explained === undefined
                ? new AutobuildError(
                    "AUTOBUILD_GIT_FAILED",
                    `git ${verb} ${how}${said === "" ? "" : `: ${said}`}`,
                  )
                : new AutobuildError("AUTOBUILD_FOREIGN_OWNER", explained),
            ),
          );
        }
      });
    });
  });
}

/** The variables of ours that git may keep: where to find keys and certificates, never which repository. */
const keptGitVariables = new Set([
  "GIT_ASKPASS",
  "GIT_SSH",
  "GIT_SSH_COMMAND",
  "GIT_SSH_VARIANT",
  "GIT_SSL_CAINFO",
  "GIT_SSL_CAPATH",
  "GIT_SSL_CERT",
  "GIT_SSL_KEY",
  "GIT_SSL_NO_VERIFY",
  "GIT_CONFIG_GLOBAL",
  "GIT_CONFIG_SYSTEM",
  "GIT_CONFIG_NOSYSTEM",
  "GIT_EXEC_PATH",
  "GIT_PROXY_COMMAND",
]);

function gitEnvironment(allowProtocols: string): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    // Started from a git hook we inherit GIT_DIR and its kin, which would turn every command onto that repository.
    if (!name.startsWith("GIT_") || keptGitVariables.has(name)) environment[name] = value;
  }
  return {
    ...environment,
    GIT_TERMINAL_PROMPT: "0",
    SSH_ASKPASS_REQUIRE: "never",
    // Wins over every configuration, so that a redirect or a rewritten URL cannot reach another transport.
    GIT_ALLOW_PROTOCOL: allowProtocols,
    // Files of Git LFS are fetched where a configuration asks for them, and not by the way.
    GIT_LFS_SKIP_SMUDGE: "1",
    GIT_OPTIONAL_LOCKS: "0",
    LC_ALL: "C.UTF-8",
    LANGUAGE: "C",
  };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function redacted(text: string, redact: NonNullable<GitOptions["redact"]>): string {
  let shown = text;
  for (const { secret, shown: replacement } of redact)
    shown = shown.replaceAll(secret, replacement);
  return shown.replace(/\/\/[^/@\s]+@/g, "//…@");
}
