import { inSequence, step } from "../plan.ts";
import type { Detector } from "./detector.ts";

/** A container image, when nothing else says how: that it can be built. Nothing is tagged or pushed. */
export const docker = {
  files: ["Dockerfile", "Containerfile"],
  async detect(checkout, tools) {
    const file = await checkout.firstFile("Dockerfile", "Containerfile");
    if (file === undefined) return undefined;
    const hasPodman = !(await tools.hasProgram("docker")) && (await tools.hasProgram("podman"));
    const program = hasPodman ? "podman" : "docker";
    return inSequence(`found ${file}: ${program} build`, [
      step("build", program, "build", "--file", file, "."),
    ]);
  },
} satisfies Detector;
