/**
 * Where a text stops being JSON: `line 2, column 5 (Unexpected token ...)`. For people only.
 *
 * V8 tells the position of most faults, but of an unexpected token only what stands around it.
 * That one is found by halving: a beginning of the text has the fault once the token is in it.
 */
export function jsonFault(text: string): string | undefined {
  const message = faultOf(text);
  if (message === undefined) return undefined;
  // Without V8's own position and excerpt, which may hold what the sender wants in no log.
  const [what = ""] = message.split(/ in JSON at position |, (?:\.\.\.)?"/, 1);
  const given = / at position (\d+)/.exec(message)?.[1];
  let at = given === undefined ? text.length : Number(given);
  if (given === undefined && isUnexpectedToken(message)) {
    let clean = 0;
    while (clean + 1 < at) {
      const half = (clean + at) >>> 1;
      if (isUnexpectedToken(faultOf(text.slice(0, half)))) at = half;
      else clean = half;
    }
    at -= 1;
  }
  const lines = text.slice(0, at).split("\n");
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1} (${what})`;
}

function isUnexpectedToken(message: string | undefined): boolean {
  return message?.startsWith("Unexpected token") ?? false;
}

function faultOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
