import { portContract } from "../../test/port-contract.ts";
import { directLink, roughLink } from "../../test/port-rig.ts";

portContract("the link of one process", directLink);

/** Numbers that look random and are the same in every run. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x100000000;
  };
}

for (const seed of [1, 2, 3])
  portContract(`a link that copies, delays and repeats (seed ${seed})`, () =>
    roughLink(numbersFrom(seed)),
  );
