import { expect, test } from "vitest";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import type { Pod } from "../api/kubernetes/core.ts";
import type { TargetObservation } from "../decide/observation.ts";
import { BY_OBJECT } from "./informers.ts";
import { gpusInUse, type ObserveContext } from "./observe.ts";

const set = { metadata: { namespace: "ns", name: "x" }, spec: { replicas: 1 } } as unknown as PodCliqueSet;

/** Each with one GPU. */
const podsOf = (object: string, count: number, metadata: object = {}, setIndex = "0"): Pod[] =>
  Array.from(
    { length: count },
    (_, at) =>
      ({
        metadata: {
          name: `${object}-${at}`,
          labels: { object, "grove.io/podcliqueset-replica-index": setIndex },
          ...metadata,
        },
        spec: { containers: [{ name: "c", resources: { limits: { "nvidia.com/gpu": "1" } } }] },
      }) as unknown as Pod,
  );

const target = (objectName: string, replicas: number): TargetObservation =>
  ({
    objects: [{ objectName, setIndex: 0, replicas }],
    templateReplicas: 3,
    gpusPerReplica: 1,
  }) as unknown as TargetObservation;

function count(pods: readonly Pod[], targets: readonly TargetObservation[], sets = 1): number {
  const byIndex = (index: string, key: string): readonly Pod[] =>
    index === BY_OBJECT ? pods.filter(({ metadata }) => key === `ns/${metadata.labels?.["object"]}`) : pods;
  const context = { informers: { pods: { byIndex } } } as unknown as ObserveContext;
  const wanted = { ...set, spec: { ...set.spec, replicas: sets } };
  return gpusInUse(wanted, { targets: [], fixedGpus: 1 }, targets, context);
}

test("one that shrinks and one that grows may both be at their larger size", () => {
  const pods = [...podsOf("x-0-prefill", 8), ...podsOf("x-0-decode", 4), ...podsOf("x-0-router", 1)];
  expect(count(pods, [target("x-0-prefill", 4), target("x-0-decode", 8)])).toBe(8 + 8 + 1);
});

test("set replicas that leave, pods on their way out, and objects yet to be made from the template count", () => {
  const pods = [
    ...podsOf("x-0-decode", 2),
    ...podsOf("x-1-decode", 5, {}, "1"),
    ...podsOf("x-0-decode", 1, { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  ];
  expect(count(pods, [target("x-0-decode", 2)])).toBe(2 + 5 + 1 + 1);
  expect(count(podsOf("x-0-decode", 2), [target("x-0-decode", 2)], 2)).toBe(2 + 3 + 2);
});
