import { AutobuildError } from "../errors.ts";
import { Checkout } from "./checkout.ts";
import { configFiles, readConfig } from "./config.ts";
import { beam } from "./detect/beam.ts";
import { cargo } from "./detect/cargo.ts";
import { cmake } from "./detect/cmake.ts";
import type { Detector } from "./detect/detector.ts";
import { docker } from "./detect/docker.ts";
import { go } from "./detect/go.ts";
import { jvm } from "./detect/jvm.ts";
import { ciTask, makeDefault, testTask } from "./detect/make.ts";
import { node } from "./detect/node.ts";
import { python } from "./detect/python.ts";
import { script } from "./detect/script.ts";
import type { Plan } from "./plan.ts";
import { systemTools, type Tools } from "./tools.ts";
import type { BuildContext } from "./when.ts";

/** In order of preference: what is there for a build server, then what is there for people. */
const detectors: readonly Detector[] = [
  script,
  ciTask,
  node,
  testTask,
  cargo,
  go,
  python,
  jvm,
  beam,
  cmake,
  docker,
  makeDefault,
];

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
