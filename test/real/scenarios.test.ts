import { afterAll, beforeAll, describe, test } from "vitest";
import { COMPUTE_DOMAIN_DEFINITION } from "../grove/fixtures/compute-domain-crd.ts";
import { CASCADE } from "../grove/scenarios/cascade.ts";
import { GANG_SCHEDULING } from "../grove/scenarios/gang-scheduling.ts";
import { GANG_TERMINATION } from "../grove/scenarios/gang-termination.ts";
import { MNNVL_ENABLED, mnnvlDisabled } from "../grove/scenarios/mnnvl.ts";
import { ON_DELETE } from "../grove/scenarios/on-delete.ts";
import { RESOURCE_SHARING } from "../grove/scenarios/resource-sharing.ts";
import { ROLLING_UPDATES } from "../grove/scenarios/rolling-updates.ts";
import { MNNVL_SETTINGS } from "../grove/scenarios/settings.ts";
import { STARTUP_ORDER } from "../grove/scenarios/startup-order.ts";
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
  ...STARTUP_ORDER,
  ...RESOURCE_SHARING,
  ...MNNVL_ENABLED,
];

/** As many as vitest runs at the same time. */
const LANES = 5;

describe.skipIf(!canStartControlPlane())("upstream's scenarios on a real control plane", () => {
  let worlds: RealWorlds;
  /** A cluster with MNNVL off, which gets the CRD half-way. */
  let off: RealWorlds;
  beforeAll(async () => {
    const settings = MNNVL_SETTINGS;
    [worlds, off] = await Promise.all([
      openRealWorlds({ lanes: LANES, settings, definitions: [COMPUTE_DOMAIN_DEFINITION] }),
      openRealWorlds({ lanes: 1 }),
    ]);
  });
  afterAll(() => Promise.all([worlds?.stop(), off?.stop()]));

  test.concurrent.for(SCENARIOS)("$name", async ({ run }, { expect }) => {
    await worlds.onLane(run);
    expect(worlds.problems).toEqual([]);
  });

  test.concurrent.for(mnnvlDisabled("Unsupported"))("$name", async ({ run }, { expect }) => {
    await off.onLane(run);
    expect(off.problems).toEqual([]);
  });

  // On the one lane, so after those above.
  test.concurrent.for(mnnvlDisabled("Supported"))("$name", async ({ run }, { expect }) => {
    await off.onLane(async (world) => {
      await off.install([COMPUTE_DOMAIN_DEFINITION]);
      await run(world);
    });
    expect(off.problems).toEqual([]);
  });
});
