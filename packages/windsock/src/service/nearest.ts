/** The name that was probably meant, if one is near: another spelling (`handle_join`), or up to a third of its letters wrong. */
export function nearest(written: string, names: Iterable<string>): string | undefined {
  const plain = plainOf(written);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const name of names) {
    const other = plainOf(name);
    const distance = distanceOf(plain, other);
    if (distance >= bestDistance || distance > Math.max(plain.length, other.length) / 3) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
}

/** As the end of a sentence about a name that is not known. */
export function didYouMean(written: string, names: Iterable<string>): string {
  const meant = nearest(written, names);
  return meant === undefined ? "" : ` Did you mean \`${meant}\`?`;
}

function plainOf(name: string): string {
  // A name is as long as its writer liked; the known ones are short.
  return name.slice(0, 64).replaceAll(/[-_]/g, "").toLowerCase();
}

/** Letters to insert, remove, replace or swap with their neighbour (optimal string alignment). */
function distanceOf(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let least = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (isSame ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
