import { inSequence, step } from "../plan.ts";
import type { Detector } from "./detector.ts";

/** Rust projects: build, then test, with the locked versions where there is a lock. */
export const cargo = {
  files: ["Cargo.toml"],
  async detect(checkout) {
    if (!(await checkout.hasFile("Cargo.toml"))) return undefined;
    const isLocked = await checkout.hasFile("Cargo.lock");
    const flags = isLocked ? ["--locked"] : [];
    return inSequence(
      `found Cargo.toml${isLocked ? " and Cargo.lock" : ""}: cargo build and cargo test`,
      [step("build", "cargo", "build", ...flags), step("test", "cargo", "test", ...flags)],
    );
  },
} satisfies Detector;
