import type { Checkout } from "./checkout.ts";
import type { Detector } from "./detector.ts";
import { inSequence, step } from "./plan.ts";

// In the order in which make looks for them.
const makefiles = ["GNUmakefile", "makefile", "Makefile"] as const;

/** A Makefile that has a target `ci` or `test`. */
export const makeTarget = {
  files: ["Makefile"],
  async detect(checkout) {
    const makefile = await findMakefile(checkout);
    const target = ["ci", "test"].find(
      (name) => makefile !== undefined && hasTarget(makefile.text, name),
    );
    if (makefile === undefined || target === undefined) return undefined;
    return inSequence(`found ${makefile.name} with a target ${target}`, [
      step(target, "make", target),
    ]);
  },
} satisfies Detector;

/** A Makefile with neither: its default target. */
export const makeDefault = {
  files: ["Makefile"],
  async detect(checkout) {
    const makefile = await findMakefile(checkout);
    if (makefile === undefined) return undefined;
    return inSequence(`found ${makefile.name} with no target ci or test: its default target`, [
      step("make", "make"),
    ]);
  },
} satisfies Detector;

async function findMakefile(
  checkout: Checkout,
): Promise<{ name: string; text: string } | undefined> {
  const name = await checkout.firstFile(...makefiles);
  const text = name === undefined ? undefined : await checkout.read(name);
  return name === undefined || text === undefined ? undefined : { name, text };
}

// `test:`, `test::`, `ci test: deps`, but not `test := value`.
function hasTarget(text: string, target: string): boolean {
  return text.split("\n").some((line) => {
    const rule = /^([^\s#:=][^#:=]*?)\s*::?(?!=)/.exec(line);
    return rule?.[1]?.split(/\s+/).includes(target) ?? false;
  });
}
