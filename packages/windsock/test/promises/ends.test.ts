import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { PortRig, roughLink } from "../port-rig.ts";

// A join that was refused while the edge was closing was dropped without a look at who is left: the
// close waited for ever where that was the last one.
test("an edge that closes while a join is on its way is empty when that is refused", async () => {
  const rig = new PortRig({ status: defineService({}) }, { link: () => roughLink(() => 0.5) });
  const refused = rig.join("m", "nobody");
  let isClosed = false;
  void rig.edge.close(1012, "stopping").then(() => (isClosed = true));
  await rig.idle();
  expect(await refused).toMatchObject({ type: "refused", status: 404 });
  await rig.idle();
  expect(isClosed).toBe(true);
  await rig.end();
});
