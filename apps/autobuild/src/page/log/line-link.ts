/** Lines from 1, both included. */
export interface LineRange {
  readonly from: number;
  readonly to: number;
}

/** `#2.1:L120-L140`, `#setup:L7`: an address of lines within the page of a build. */
export function lineHash(place: string, { from, to }: LineRange): string {
  return `#${place}:L${from}${to === from ? "" : `-L${to}`}`;
}
