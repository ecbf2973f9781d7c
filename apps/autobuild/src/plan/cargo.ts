import type { Detector } from "./detector.ts";
import { step } from "./plan.ts";

/** Rust projects: build, then test, with the locked versions where there is a lock. */
export const cargo = {
  files: ["Cargo.toml"],
  async detect(checkout) {
    if (!(await checkout.hasFile("Cargo.toml"))) return undefined;
    const isLocked = await checkout.hasFile("Cargo.lock");
    const flags = isLocked ? ["--locked"] : [];
    return {
      reason: `found Cargo.toml${isLocked ? " and Cargo.lock" : ""}: cargo build and cargo test`,
      steps: [step("build", "cargo", "build", ...flags), step("test", "cargo", "test", ...flags)],
      environment: {},
    };
  },
} satisfies Detector;
