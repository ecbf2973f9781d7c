/** The one that somebody who wrote this will have meant; undefined if none is near enough. */
export function nearestName(name: string, allowed: readonly string[]): string | undefined {
  const nearest = allowed
    .map((each) => ({ each, distance: editDistance(name.toLowerCase(), each.toLowerCase()) }))
    .toSorted((left, right) => left.distance - right.distance)[0];
  const isNear =
    nearest !== undefined && nearest.distance <= Math.max(1, Math.floor(name.length / 3));
  return isNear ? nearest.each : undefined;
}

/** How many characters to insert, remove, replace or swap with their neighbour. Long names are not worth it. */
function editDistance(left: string, right: string): number {
  if (left.length > 100 || right.length > 100) return Infinity;
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      let best = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      next.push(best);
    }
    before = row;
    row = next;
  }
  return row[right.length] ?? Infinity;
}
