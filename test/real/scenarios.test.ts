import { afterAll, beforeAll, describe, test } from "vitest";
import { CASCADE } from "../grove/scenarios/cascade.ts";
import { GANG_SCHEDULING } from "../grove/scenarios/gang-scheduling.ts";
import { GANG_TERMINATION } from "../grove/scenarios/gang-termination.ts";
import { ON_DELETE } from "../grove/scenarios/on-delete.ts";
import { ROLLING_UPDATES } from "../grove/scenarios/rolling-updates.ts";
import { TOPOLOGY_BINDINGS, TOPOLOGY_CEL } from "../grove/scenarios/topology-bindings.ts";
import { TOPOLOGY_PLACEMENT } from "../grove/scenarios/topology-placement.ts";
import { canStartControlPlane } from "./control-plane/control-plane.ts";
import { openRealWorlds, type RealWorlds } from "./real-world.ts";

const SCENARIOS = [
  ...GANG_SCHEDULING,
  ...CASCADE,
  ...GANG_TERMINATION,
  ...ROLLING_UPDATES,
  ...ON_DELETE,
  ...TOPOLOGY_PLACEMENT,
  ...TOPOLOGY_BINDINGS,
  ...TOPOLOGY_CEL,
];

/** As many as vitest runs at the same time. */
const LANES = 5;

describe.skipIf(!canStartControlPlane())("upstream's scenarios on a real control plane", () => {
  let worlds: RealWorlds;
  beforeAll(async () => {
    worlds = await openRealWorlds({ lanes: LANES });
  });
  afterAll(() => worlds?.stop());

  test.concurrent.for(SCENARIOS)("$name", async ({ run }, { expect }) => {
    await worlds.onLane(run);
    expect(worlds.problems).toEqual([]);
  });
});
