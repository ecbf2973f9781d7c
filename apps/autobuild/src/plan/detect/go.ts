import { inSequence, step } from "../plan.ts";
import type { Detector } from "./detector.ts";

/** Go modules: build, then test, all packages. */
export const go = {
  files: ["go.mod"],
  async detect(checkout) {
    if (!(await checkout.hasFile("go.mod"))) return undefined;
    return inSequence("found go.mod: go build and go test of all packages", [
      step("build", "go", "build", "./..."),
      step("test", "go", "test", "./..."),
    ]);
  },
} satisfies Detector;
