import { afterEach } from "vitest";
import type { Service } from "../src/index.ts";
import { PortRig, type RigOptions } from "./port-rig.ts";

const running: PortRig[] = [];

afterEach(async () => {
  for (const rig of running.splice(0)) await rig.end();
});

/** One service called `status`, an edge, and connections without a network. It ends after the test. */
export function startRig(service: Service, options: RigOptions = {}): PortRig {
  const rig = new PortRig({ status: service }, options);
  running.push(rig);
  return rig;
}
