/** The codes an `AutobuildError` can carry. Programs switch on the code, people read the message. */
export type AutobuildErrorCode =
  | "AUTOBUILD_BAD_OPTION"
  | "AUTOBUILD_BAD_SOURCE"
  | "AUTOBUILD_BAD_CONFIG"
  | "AUTOBUILD_NOTHING_TO_BUILD"
  | "AUTOBUILD_GIT_FAILED"
  | "AUTOBUILD_GIT_TIMEOUT"
  | "AUTOBUILD_FOREIGN_OWNER"
  | "AUTOBUILD_DATA_DIR_IN_USE"
  | "AUTOBUILD_DATA_DIR_TOO_NEW"
  | "AUTOBUILD_NO_SUCH_BRANCH"
  | "AUTOBUILD_NO_SUCH_BUILD"
  | "AUTOBUILD_BUILD_ENDED"
  | "AUTOBUILD_QUEUE_FULL"
  | "AUTOBUILD_BACKUP_FAILED"
  | "AUTOBUILD_STOPPED"
  | "AUTOBUILD_NO_ACCOUNTS"
  | "AUTOBUILD_FORBIDDEN"
  | "AUTOBUILD_BUSY"
  | "AUTOBUILD_BAD_KEY"
  | "AUTOBUILD_NO_SECRET"
  | "AUTOBUILD_NO_PAGE";

/** Every error that AutoBuild throws on purpose. */
export class AutobuildError extends Error {
  override readonly name = "AutobuildError";
  readonly code: AutobuildErrorCode;

  constructor(code: AutobuildErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Nobody knows a build of that number. */
export function noSuchBuild(id: number): AutobuildError {
  return new AutobuildError(
    "AUTOBUILD_NO_SUCH_BUILD",
    `Expected the number of a build, got ${id}, which no build has.`,
  );
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's code of a failed call (`ENOENT`, `ENOSPC`), if there is one. */
export function systemCodeOf(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string")
    return error.code;
  return undefined;
}

/** Takes it that there is no such file or folder; throws every other error again. */
export function ignoreMissing(error: unknown): undefined {
  if (systemCodeOf(error) !== "ENOENT") throw error;
}

/** Whether the disk is full: for files, and for SQLite, whose result code 13 it is. */
export function isDiskFull(error: unknown): boolean {
  if (systemCodeOf(error) === "ENOSPC") return true;
  return error instanceof Error && "errcode" in error && error.errcode === 13;
}

/**
 * Shows a value inside an error message, with its type: `"0" (string)`.
 *
 * Bounded to 80 characters, so that a hostile file cannot flood a log through its own error.
 */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return "an object";
  const text = typeof value === "string" ? escaped(JSON.stringify(value)) : String(value);
  return `${text.length > 80 ? `${text.slice(0, 79)}…` : text} (${typeof value})`;
}

// JSON leaves these as they are, and a terminal or a page would show the rest of the line in another order.
function escaped(text: string): string {
  return text.replaceAll(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
