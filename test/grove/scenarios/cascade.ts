/** Deletion of a set takes everything with it (grove.md 10.7). */
import { workload1 } from "../workloads.ts";
import type { Scenario } from "./scenario-world.ts";
import { deployReady } from "./steps.ts";

export const CASCADE: readonly Scenario[] = [
  {
    name: "Test_CascadeDeletePodCliqueSet",
    async run(world) {
      await deployReady(world, workload1());
      if (world.view.gangs().length !== 1 || world.view.cliques().length !== 5) {
        throw new Error(`${world.view.gangs().length} gangs and ${world.view.cliques().length} cliques`);
      }
      await world.cleanUp();
      const { view } = world;
      await world.until(
        "the set, its group, cliques, gangs and pods to be gone",
        () =>
          view.set("workload1") === undefined &&
          view.group("workload1-0-sg-x") === undefined &&
          view.cliques().length + view.gangs().length + view.pods().length === 0,
      );
    },
  },
];
