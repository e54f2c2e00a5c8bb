import { expect, test } from "vitest";
import type { Pod } from "../../api/kubernetes/core.ts";
import { VirtualClock } from "../../clock.ts";
import { type Arrival, createDataPlane, type DataPlane, type DataPlaneOptions } from "./data-plane.ts";

const SYSTEM = { namespace: "serving", partOf: "llama" };

const pod = (clique: string, index: number): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: "serving",
    name: `${clique}-${index}`,
    labels: { "app.kubernetes.io/part-of": "llama", "grove.io/podclique": `llama-0-${clique}` },
  },
  spec: { nodeName: "node", containers: [{ name: "engine" }] },
});

function world(cliques: Readonly<Record<string, number>>, options: Omit<DataPlaneOptions, "clock">) {
  const clock = new VirtualClock();
  const plane = createDataPlane({ clock, ...options });
  for (const [clique, pods] of Object.entries(cliques)) {
    for (let index = 0; index < pods; index++) plane.setPod(pod(clique, index), true);
  }
  return { clock, plane };
}

const read = (plane: DataPlane, name: string, metric: string): number | undefined => {
  const value = new RegExp(`^${metric}\\{[^}]*\\} (\\S+)$`, "m").exec(plane.podMetrics(`serving/${name}`) ?? "")?.[1];
  return value === undefined ? undefined : Number(value);
};
const prompts = (plane: DataPlane, clique: string, pods: number) =>
  Array.from({ length: pods }, (_, index) => read(plane, `${clique}-${index}`, "vllm:prompt_tokens_total"));

/** Far enough apart that each finds idle engines. */
const apart = (...requests: readonly Omit<Arrival, "atMs">[]): Arrival[] =>
  requests.map((request, index) => ({ ...request, atMs: index * 5_000 }));

const long = (...blocks: readonly number[]) => ({ inputTokens: 512 * blocks.length, outputTokens: 2, blocks });

test("round-robin: one after the other, however unequal, and only those that take requests", async () => {
  const { clock, plane } = world({ worker: 3 }, { routing: "round-robin" });
  plane.drain("serving/worker-1");
  plane.attachTraffic(SYSTEM, apart(long(1, 2, 3), long(4), long(5), long(6)));
  await clock.advance(60_000);
  expect(prompts(plane, "worker", 3)).toEqual([4 * 512, 0, 2 * 512]);
});

test("round-robin goes over decode engines too", async () => {
  const { clock, plane } = world({ prefill: 1, decode: 2 }, { routing: "round-robin" });
  plane.attachTraffic(SYSTEM, apart(long(1), long(2), long(3), long(4)));
  await clock.advance(60_000);
  const finished = [0, 1].map((index) => read(plane, `decode-${index}`, "vllm:generation_tokens_total"));
  expect(finished).toEqual([2, 2]);
});

test("kv-aware: to where the beginning is, unless too much waits there", async () => {
  const { clock, plane } = world({ worker: 2 }, { routing: "kv-aware", prefixCaching: true });
  plane.attachTraffic(SYSTEM, [
    ...apart(long(1, 2, 3, 4), long(9), long(1, 2, 3, 4, 5), long(1, 2, 6)),
    // At once: the second of them finds 20 blocks to compute where the beginning of its prompt is.
    { ...long(1, 2, ...Array.from({ length: 20 }, (_, index) => 100 + index)), atMs: 30_000 },
    { ...long(1, 2, 7), atMs: 30_000 },
  ]);
  await clock.advance(29_000);
  // All idle and nothing cached: ties go to the first, so the second prompt comes there as well.
  expect(prompts(plane, "worker", 2)).toEqual([(4 + 1 + 5 + 3) * 512, 0]);
  expect(read(plane, "worker-0", "vllm:prefix_cache_hits_total")).toBe((4 + 2) * 512);
  await clock.advance(30_000);
  expect(prompts(plane, "worker", 2)).toEqual([(4 + 1 + 5 + 3 + 22) * 512, 3 * 512]);
});

test("kv-aware without shared beginnings evens out what is to be computed", async () => {
  const { clock, plane } = world({ worker: 4 }, { routing: "kv-aware" });
  plane.attachTraffic(
    SYSTEM,
    Array.from({ length: 8 }, (_, index) => ({ ...long(index), atMs: 0 })),
  );
  await clock.advance(60_000);
  expect(prompts(plane, "worker", 4)).toEqual([1_024, 1_024, 1_024, 1_024]);
});

test("prefix caching is off unless asked for, and then says nothing", async () => {
  const { clock, plane } = world({ prefill: 1, decode: 1 }, {});
  plane.attachTraffic(SYSTEM, apart(long(1, 2), long(1, 2)));
  await clock.advance(30_000);
  expect(read(plane, "prefill-0", "vllm:prompt_tokens_total")).toBe(2_048);
  expect(read(plane, "prefill-0", "vllm:prefix_cache_queries_total")).toBe(undefined);
  const ttft = plane.requests(SYSTEM).ttftMs;
  expect(ttft[1]).toBeCloseTo(ttft[0] as number, 3);
});

test("prefill engines cache and decode engines do not", async () => {
  const { clock, plane } = world({ prefill: 1, decode: 1 }, { prefixCaching: true });
  plane.attachTraffic(SYSTEM, apart(long(1, 2), long(1, 2)));
  await clock.advance(30_000);
  expect(read(plane, "prefill-0", "vllm:prefix_cache_queries_total")).toBe(2_048);
  expect(read(plane, "prefill-0", "vllm:prefix_cache_hits_total")).toBe(1_023);
  expect(read(plane, "decode-0", "vllm:prefix_cache_queries_total")).toBe(undefined);
  const { ttftMs } = plane.requests(SYSTEM);
  expect(ttftMs[1]).toBeLessThan(ttftMs[0] as number);
});
