/** Words of a line that tell of a failure. */
const failure =
  /(?:^|[^\w-])(?:error|errors|fail|failed|failure|failures|fatal|panic|panicked|exception|traceback|segmentation fault|assertionerror|typeerror)(?:[^\w-]|$)/i;
/** Names of errors are written so: `onerror` and `terror` are none. */
const thrown = /(?:^|[^\w-])\w+(?:Error|Exception)(?:[^\w-]|$)/;
/** The same words in lines that tell of none, or of an option. */
const harmless =
  /\b(?:0|no|zero|without) (?:\w+ )?(?:errors?|fail(?:ed|ures?)?|exceptions?)\b|\b(?:errors?|fail(?:ed|ures?)?)(?:\s*[:=]\s*|\s+)0\b|(?:^|[^\w-])\w*-[\w-]*(?:error|fail)|\bif (?:\w+ )?(?:error|fails?)\b/i;
const command = /^::error\b|^##\[error\]|^\^\^\^ \+\+\+/;
const mightFail = /err|fail|fatal|panic|except|trace|segm/i;

/** Whether a line looks as if something failed. A guess, to have somewhere to jump to. */
export function isErrorLine(text: string): boolean {
  if (command.test(text)) return true;
  if (!mightFail.test(text)) return false;
  const head = text.slice(0, 500);
  return (failure.test(head) || thrown.test(head)) && !harmless.test(text);
}
