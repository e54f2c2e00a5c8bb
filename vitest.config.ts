import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those that wait for processes and whole systems: one that starts last is waited for by an idle core. */
const SLOW = ["/test/e2e/", "/test/sim/", "/test/failure-modes/", "/test/grove/scenarios/", "/test/cli/"];

/** Another order at every run, by the seed that it prints, the slow ones first. */
class SlowFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = SLOW.findIndex((folder) => moduleId.includes(folder));
      return index === -1 ? SLOW.length : index;
    };
    const place = ({ moduleId }: TestSpecification): string =>
      createHash("sha256").update(`${this.ctx.config.sequence.seed} ${moduleId}`).digest("hex");
    return Promise.resolve(files.toSorted((a, b) => rank(a) - rank(b) || (place(a) < place(b) ? -1 : 1)));
  }
}

const shared = {
  setupFiles: "test/setup.ts",
  pool: "forks",
  sequence: { shuffle: true },
  unstubEnvs: true,
  expect: { requireAssertions: true },
} as const;

const real = { ...shared, testTimeout: 600_000, hookTimeout: 900_000 } as const;

/** Upstream's, which go by what is ready at which moment: beside other work a real control plane is too late for some of them. */
const SCENARIOS = "test/real/scenarios.test.ts";

export default defineConfig({
  test: {
    // One core less is the default; on two that is one, and the demo waits for most of its minute.
    maxWorkers: 2,
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          // Half the time of a small file is loading the product again, and no module of ours keeps anything that a test can see.
          isolate: false,
          // Simulations make many objects that live for a step: with room for more of them fewer are looked through.
          execArgv: ["--max-semi-space-size=64"],
          // For the processes that tests start: loading the product takes longer than most commands do.
          env: {
            NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/grove-autoscaler-tests", import.meta.url)),
          },
          include: ["src/**/*.test.ts", "test/**/*.test.ts", "grafana/**/*.test.ts"],
          exclude: ["test/real/**", "**/node_modules/**"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...real,
          name: "real",
          include: ["test/real/**/*.test.ts"],
          exclude: [SCENARIOS, "**/node_modules/**"],
          sequence: { ...shared.sequence, groupOrder: 1 },
        },
      },
      {
        test: {
          ...real,
          name: "real-scenarios",
          include: [SCENARIOS],
          sequence: { ...shared.sequence, groupOrder: 2 },
        },
      },
    ],
  },
});
