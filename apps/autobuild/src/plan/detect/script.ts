import { inSequence, step } from "../plan.ts";
import type { Detector } from "./detector.ts";

const scripts = ["ci.sh", "script/ci", "scripts/ci", "scripts/ci.sh", "bin/ci"] as const;

/** A script that is there for this. */
export const script = {
  files: ["ci.sh", "script/ci", "bin/ci"],
  async detect(checkout) {
    const found = await checkout.firstFile(...scripts);
    if (found === undefined) return undefined;
    const isProgram = await checkout.isExecutable(found);
    return inSequence(`found ${found}${isProgram ? "" : ", which is not executable: run by sh"}`, [
      isProgram ? step("ci", `./${found}`) : step("ci", "sh", found),
    ]);
  },
} satisfies Detector;
