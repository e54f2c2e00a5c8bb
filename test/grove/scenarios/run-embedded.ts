/** Runs a table of scenarios, each in an embedded world of its own. */
import { describe, expect, test } from "vitest";
import { type EmbeddedWorldOptions, startEmbeddedWorld } from "./embedded-world.ts";
import type { Scenario } from "./scenario-world.ts";

export function runEmbedded(theme: string, scenarios: readonly Scenario[], options: EmbeddedWorldOptions = {}): void {
  describe(`${theme}, in the embedded world`, () => {
    test.each(scenarios)("$name", async ({ run }) => {
      const world = await startEmbeddedWorld(options);
      try {
        await run(world);
        await world.cleanUp();
        expect(world.problems).toEqual([]);
      } finally {
        await world.stop();
      }
    });
  });
}
