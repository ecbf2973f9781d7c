import { AutobuildError } from "../errors.ts";
import { cargo } from "./cargo.ts";
import { Checkout } from "./checkout.ts";
import { configFiles, readConfig } from "./config.ts";
import type { Detector } from "./detector.ts";
import { go } from "./go.ts";
import { makeDefault, makeTarget } from "./make.ts";
import { node } from "./node.ts";
import type { Plan } from "./plan.ts";
import { python } from "./python.ts";
import { systemTools, type Tools } from "./tools.ts";
import type { BuildContext } from "./when.ts";

/** In order of preference. A Makefile with no `ci` or `test` may only wrap something else, so it comes last. */
const detectors: readonly Detector[] = [node, makeTarget, cargo, go, python, makeDefault];

/**
 * Finds out how to build what lies in a folder: by its configuration, else by what it looks like.
 *
 * Throws an `AutobuildError` that says what is wrong with the configuration, or that nothing was found.
 */
export async function findPlan(
  folder: string,
  tools: Tools = systemTools,
  context: BuildContext = { event: "manual" },
): Promise<Plan> {
  const checkout = new Checkout(folder);
  const configured = await readConfig(checkout, context);
  if (configured !== undefined) return configured;
  for (const detector of detectors) {
    const plan = await detector.detect(checkout, tools);
    if (plan !== undefined) return plan;
  }
  const looked = [...configFiles, ...new Set(detectors.flatMap(({ files }) => files))];
  throw new AutobuildError(
    "AUTOBUILD_NOTHING_TO_BUILD",
    `Expected to find out how to build this repository, and found none of: ${looked.join(", ")}. ` +
      `Add a file .autobuild.yml such as:\nsteps:\n  - name: test\n    run: ./test.sh`,
  );
}
