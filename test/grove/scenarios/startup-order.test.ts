import { expect, test } from "vitest";
import { startEmbeddedWorld } from "./embedded-world.ts";
import { STARTUP_ORDER } from "./startup-order.ts";

// Pods have no init container yet that waits for their parents. When they have one, this becomes `runEmbedded("start-up order", STARTUP_ORDER)`.
test.fails.for(STARTUP_ORDER)("$name", async ({ run }) => {
  const world = await startEmbeddedWorld();
  try {
    await run(world);
    expect(world.problems).toEqual([]);
  } finally {
    await world.stop();
  }
});
