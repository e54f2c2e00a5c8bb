import { expect, test } from "vitest";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import type { Pod } from "../api/kubernetes/core.ts";
import type { TargetObservation } from "../decide/observation.ts";
import { BY_OBJECT } from "./informers.ts";
import { gpusInUse, type ObserveContext } from "./observe.ts";
import type { Resolution } from "./resolve.ts";

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

const context = (pods: readonly Pod[]): ObserveContext => {
  const byIndex = (index: string, key: string): readonly Pod[] =>
    index === BY_OBJECT ? pods.filter(({ metadata }) => key === `ns/${metadata.labels?.["object"]}`) : pods;
  return { informers: { pods: { byIndex } } } as unknown as ObserveContext;
};

function count(pods: readonly Pod[], targets: readonly TargetObservation[], sets = 1): number {
  const wanted = { ...set, spec: { ...set.spec, replicas: sets } };
  return gpusInUse(wanted, { targets: [], fixedGpus: 1 }, targets, context(pods)).gpus;
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

test("what cannot be counted is named: a pod, replicas that are ordered, cliques that are no target", () => {
  const { gpusPerReplica: _, ...unknown } = target("x-0-decode", 2);
  const resolution = { targets: [{ name: "decode" }], fixedGpus: 1 } as unknown as Resolution;
  const none = context([]);
  expect(gpusInUse(set, resolution, [target("x-0-decode", 2)], none)).toEqual({ gpus: 3 });
  expect(gpusInUse(set, resolution, [unknown], none)).toEqual({ gpus: 1, unknown: "replicas of decode" });
  expect(gpusInUse(set, { targets: [] }, [], none)).toEqual({ gpus: 0, unknown: "cliques that are no target" });
  const asleep = { ...unknown, objects: [{ ...unknown.objects[0], replicas: 0 }] } as TargetObservation;
  expect(gpusInUse(set, resolution, [asleep], none)).toEqual({ gpus: 1 });
  const slice = podsOf("x-0-router", 1).map((pod) => ({
    ...pod,
    spec: { containers: [{ name: "c", resources: { limits: { "nvidia.com/mig-1g.5gb": "1" } } }] },
  })) as unknown as Pod[];
  expect(gpusInUse(set, resolution, [], context(slice))).toEqual({ gpus: 1, unknown: "pod x-0-router-0" });
});
