import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const shared = {
  setupFiles: "test/setup.ts",
  pool: "forks",
  sequence: { shuffle: true },
  unstubEnvs: true,
  expect: { requireAssertions: true },
} as const;

export default defineConfig({
  test: {
    // One core less is the default; on two that is one, and the demo waits for most of its minute.
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          // Half the time of a small file is loading the product again, and no module of ours keeps anything that a test can see.
          isolate: false,
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
          ...shared,
          name: "real",
          include: ["test/real/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
