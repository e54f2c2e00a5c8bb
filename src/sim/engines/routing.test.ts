import { describe, expect, test } from "vitest";
import type { Pod } from "../../api/kubernetes/core.ts";
import { VirtualClock } from "../../clock.ts";
import { type Arrival, createDataPlane, type DataPlane, type DataPlaneOptions } from "./data-plane.ts";
import { InferenceEngine } from "./inference-engine.ts";
import { type EngineProfile, PROFILES } from "./profiles.ts";
import { newAttempt } from "./request.ts";
import { Router, type Routing } from "./routing.ts";

const PROFILE = Object.values(PROFILES)[0] as EngineProfile;
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

describe("kv-aware: the fewest blocks to compute and in use together", () => {
  /** Decodes what it got for as long as the test lasts. */
  function engineWith(...requests: readonly Omit<Arrival, "atMs">[]): { readonly engine: InferenceEngine } {
    const silent = () => undefined;
    const listener = {
      prefilled: silent,
      transferring: silent,
      firstToken: silent,
      finished: silent,
      rejected: silent,
    };
    const engine = new InferenceEngine(PROFILE, "aggregated", listener, { prefixCaching: true });
    for (const request of requests) engine.submit(attemptOf(request), 0);
    engine.advanceTo(1_000);
    return { engine };
  }
  const attemptOf = (request: Omit<Arrival, "atMs">) =>
    newAttempt({ id: 0, arrivedMs: 0, attempts: 0, current: undefined, ended: false, ...request });
  const endless = (blocks: number, first: number) => ({
    inputTokens: 512 * blocks,
    outputTokens: 100_000,
    blocks: Array.from({ length: blocks }, (_, index) => first + index),
  });
  const choice = (
    routing: Routing,
    engines: readonly { readonly engine: InferenceEngine }[],
    request: Omit<Arrival, "atMs">,
  ) => {
    const picked = new Router(routing).pick(engines, () => true, attemptOf(request), 1_000);
    return picked === undefined ? -1 : engines.indexOf(picked);
  };

  test("the beginning of a prompt weighs against load", () => {
    const engines = [engineWith(endless(4, 100), long(1, 2, 3, 4, 5, 6, 7, 8)), engineWith()];
    const request = long(1, 2, 3, 4, 5, 6, 7, 8, 9);
    // 1 to compute and 4 in use against 9 to compute.
    expect(choice("kv-aware", engines, request)).toBe(0);
    expect(choice("least-loaded", engines, request)).toBe(1);
    // 4 + 4 against 7.
    expect(choice("kv-aware", engines, long(1, 2, 3, 200, 201, 202, 203))).toBe(1);
  });

  test("a prompt that is still to be computed counts twice: now for computing, then for its room", () => {
    const busy = engineWith(endless(10, 100));
    const behind = engineWith();
    behind.engine.submit(attemptOf(endless(6, 200)), 1_000);
    // 10 in use, against 6 in use and to compute.
    expect(choice("kv-aware", [behind, busy], long(300))).toBe(1);
    expect(choice("least-loaded", [behind, busy], long(300))).toBe(0);
  });
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
