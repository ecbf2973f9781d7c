import { inSequence, step } from "../plan.ts";
import type { Detector } from "./detector.ts";

/** A folder that no project keeps in git. */
const buildFolder = "_autobuild";

/** C and C++ with CMake: configure, build, and CTest. */
export const cmake = {
  files: ["CMakeLists.txt"],
  async detect(checkout) {
    if (!(await checkout.hasFile("CMakeLists.txt"))) return undefined;
    return inSequence(`found CMakeLists.txt: configure, build and test in ${buildFolder}`, [
      step("configure", "cmake", "-S", ".", "-B", buildFolder),
      step("build", "cmake", "--build", buildFolder, "--parallel"),
      step("test", "ctest", "--test-dir", buildFolder, "--output-on-failure"),
    ]);
  },
} satisfies Detector;
