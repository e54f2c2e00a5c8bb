import { describe, expect, test } from "vitest";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { Pod } from "../api/kubernetes/core.ts";
import type { KaiQueue } from "../api/scheduler/kai-queue.ts";
import { QueueLedger } from "./queue-headroom.ts";

interface QueueText {
  readonly quota?: number;
  readonly limit?: number;
  readonly allocated?: number;
  readonly parent?: string;
}

function queues(texts: Readonly<Record<string, QueueText>>): (name: string) => KaiQueue | undefined {
  return (name) => {
    const text = texts[name];
    if (text === undefined) return undefined;
    const { quota, limit, allocated, parent } = text;
    const gpu = {
      ...(quota === undefined ? {} : { quota }),
      ...(limit === undefined ? {} : { limit }),
    };
    return {
      apiVersion: "scheduling.run.ai/v2",
      kind: "Queue",
      metadata: { name },
      spec: {
        ...(parent === undefined ? {} : { parentQueue: parent }),
        ...(Object.keys(gpu).length === 0 ? {} : { resources: { gpu } }),
      },
      ...(allocated === undefined ? {} : { status: { allocated: { "nvidia.com/gpu": String(allocated) } } }),
    };
  };
}

const policy = (name: string, queue?: string): ScalingPolicy =>
  ({
    metadata: { namespace: "serving", name },
    spec: { gpuBudget: queue === undefined ? {} : { queueRef: { kind: "Queue", name: queue } } },
  }) as unknown as ScalingPolicy;

const pods = (count: number, gpus: number, { isScheduled = true, queue = "" } = {}): readonly Pod[] =>
  Array.from({ length: count }, (_, index) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: "serving",
      name: `p-${index}`,
      ...(queue === "" ? {} : { labels: { "kai.scheduler/queue": queue } }),
    },
    spec: { containers: [{ name: "x", resources: { limits: { "nvidia.com/gpu": String(gpus) } } }] },
    status: { conditions: [{ type: "PodScheduled", status: isScheduled ? "True" : "False" }] },
  })) as unknown as readonly Pod[];

const left = (texts: Readonly<Record<string, QueueText>>, own: readonly Pod[] = [], ledger = new QueueLedger()) =>
  ledger.observe(policy("a", "q"), own, queues(texts)).queue;

describe("what a queue leaves to a policy", () => {
  test.each<[string, Readonly<Record<string, QueueText>>, readonly Pod[], { name: string; gpus?: number }]>([
    ["its limit, when nobody else is there", { q: { limit: 16 } }, [], { name: "q", gpus: 16 }],
    ["its limit without what others have", { q: { limit: 16, allocated: 10 } }, [], { name: "q", gpus: 6 }],
    ["what is the policy's own counts once", { q: { limit: 16, allocated: 10 } }, pods(2, 2), { name: "q", gpus: 10 }],
    [
      "pods without a node are in no allocation",
      { q: { limit: 16, allocated: 10 } },
      pods(2, 2, { isScheduled: false }),
      { name: "q", gpus: 6 },
    ],
    [
      "pods of another queue are not in this one",
      { q: { limit: 16, allocated: 10 } },
      pods(2, 2, { queue: "r" }),
      { name: "q", gpus: 6 },
    ],
    [
      "an allocation that is published late is never below nothing",
      { q: { limit: 16, allocated: 0 } },
      pods(4, 2),
      { name: "q", gpus: 16 },
    ],
    ["-1 is no limit", { q: { limit: -1, quota: 4 } }, [], { name: "q", gpus: Number.POSITIVE_INFINITY }],
    ["an unset limit is the quota", { q: { quota: 8, allocated: 2 } }, [], { name: "q", gpus: 6 }],
    ["a queue that says nothing of GPUs limits none", { q: {} }, [], { name: "q", gpus: Number.POSITIVE_INFINITY }],
    [
      "the queue above may leave less, and is named",
      { q: { limit: 16, parent: "team" }, team: { limit: 20, allocated: 18 } },
      [],
      { name: "team", gpus: 2 },
    ],
    ["a lowered limit takes nothing away", { q: { limit: 4, allocated: 12 } }, pods(6, 2), { name: "q", gpus: 12 }],
    ["a queue that is not there is unknown", {}, [], { name: "q" }],
    ["so is one whose parent is not there", { q: { limit: 4, parent: "gone" } }, [], { name: "q" }],
    ["a circle of queues ends", { q: { limit: 4, parent: "q" } }, [], { name: "q", gpus: 4 }],
  ])("%s", (_, texts, own, wanted) => {
    expect(left(texts, own)).toEqual(wanted);
  });

  test("what another policy has ordered and not got yet is spoken for, and no longer once it is allocated", () => {
    const ledger = new QueueLedger();
    ledger.record(policy("b", "q"), [], 6, queues({}));
    expect(left({ q: { limit: 16 } }, [], ledger)).toEqual({ name: "q", gpus: 10 });
    ledger.record(policy("b", "q"), pods(3, 2), 6, queues({}));
    expect(left({ q: { limit: 16, allocated: 6 } }, [], ledger)).toEqual({ name: "q", gpus: 10 });
    ledger.forget("serving/b");
    expect(left({ q: { limit: 16 } }, [], ledger)).toEqual({ name: "q", gpus: 16 });
  });

  test("what was ordered in a queue beside it is spoken for in the one above both, once", () => {
    const ledger = new QueueLedger();
    const tree = { p: { limit: 8, parent: "p" }, q: { limit: 16, parent: "p" }, beside: { limit: 16, parent: "p" } };
    ledger.record(policy("b", "beside"), [], 6, queues(tree));
    expect(left(tree, [], ledger)).toEqual({ name: "p", gpus: 2 });
    expect(ledger.observe(policy("b", "beside"), [], queues(tree)).queue).toEqual({ name: "p", gpus: 8 });
    ledger.record(policy("b", "beside"), [], 1, queues(tree));
    expect(left(tree, [], ledger)).toEqual({ name: "p", gpus: 7 });
  });

  test("a policy without a queue asks none", () => {
    expect(new QueueLedger().observe(policy("a"), [], queues({}))).toEqual({});
  });
});
