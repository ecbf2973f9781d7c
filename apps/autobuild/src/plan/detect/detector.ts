import type { Checkout } from "../checkout.ts";
import type { Plan } from "../plan.ts";
import type { Tools } from "../tools.ts";

/** One way of recognising how a checkout is built. */
export interface Detector {
  /** The files it looks for, as they are named to a person when nothing was found. */
  readonly files: readonly string[];
  /** Returns a plan, or undefined when the checkout is not of its kind. MUST NOT run anything from the checkout. */
  detect(checkout: Checkout, tools: Tools): Promise<Plan | undefined>;
}
