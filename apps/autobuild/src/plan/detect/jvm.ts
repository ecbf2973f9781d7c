import type { Checkout } from "../checkout.ts";
import { inSequence, step, type PlannedStep } from "../plan.ts";
import type { Detector } from "./detector.ts";

/** Java, Kotlin and their kin: by the wrapper that comes with the project, else by what is installed. */
export const jvm = {
  files: ["gradlew", "mvnw", "build.gradle", "pom.xml"],
  async detect(checkout) {
    const gradle = await checkout.firstFile(
      "gradlew",
      "build.gradle",
      "build.gradle.kts",
      "settings.gradle",
      "settings.gradle.kts",
    );
    if (gradle !== undefined)
      return inSequence(`found ${gradle}: gradle build, which tests too`, [
        await byWrapper(checkout, "build", "gradlew", "gradle", "build"),
      ]);
    const maven = await checkout.firstFile("mvnw", "pom.xml");
    if (maven === undefined) return undefined;
    return inSequence(`found ${maven}: mvn verify, which tests too`, [
      await byWrapper(checkout, "verify", "mvnw", "mvn", "-B", "verify"),
    ]);
  },
} satisfies Detector;

async function byWrapper(
  checkout: Checkout,
  name: string,
  wrapper: string,
  program: string,
  ...rest: string[]
): Promise<PlannedStep> {
  if (!(await checkout.hasFile(wrapper))) return step(name, program, ...rest);
  return (await checkout.isExecutable(wrapper))
    ? step(name, `./${wrapper}`, ...rest)
    : step(name, "sh", wrapper, ...rest);
}
