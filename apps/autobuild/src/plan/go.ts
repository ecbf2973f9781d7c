import type { Detector } from "./detector.ts";
import { step } from "./plan.ts";

/** Go modules: build, then test, all packages. */
export const go = {
  files: ["go.mod"],
  async detect(checkout) {
    if (!(await checkout.hasFile("go.mod"))) return undefined;
    return {
      reason: "found go.mod: go build and go test of all packages",
      steps: [step("build", "go", "build", "./..."), step("test", "go", "test", "./...")],
      environment: {},
    };
  },
} satisfies Detector;
