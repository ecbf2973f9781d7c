/** A text as one word for a POSIX shell, whatever stands in it; quoted only where it must be. */
export function quoted(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
