import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
  beforeAll(async () => {
    worlds = await openRealWorlds({
      lanes: LANES,
      settings: MNNVL_SETTINGS,
      definitions: [COMPUTE_DOMAIN_DEFINITION],
    });
  });
  afterAll(() => worlds?.stop());

  test.concurrent.for(SCENARIOS)("$name", async ({ run }, { expect }) => {
    await worlds.onLane(run);
    expect(worlds.problems).toEqual([]);
  });
});

describe.skipIf(!canStartControlPlane())("MNNVL that is off, on a real control plane", () => {
  let worlds: RealWorlds;
  beforeAll(async () => {
    worlds = await openRealWorlds({ lanes: 1 });
  });
  afterAll(() => worlds?.stop());

  test.for(mnnvlDisabled("Unsupported"))("$name", async ({ run }) => {
    await worlds.onLane(run);
    expect(worlds.problems).toEqual([]);
  });

  test.for(mnnvlDisabled("Supported"))("$name", async ({ run }) => {
    await worlds.install([COMPUTE_DOMAIN_DEFINITION]);
    await worlds.onLane(run);
    expect(worlds.problems).toEqual([]);
  });
});
