/** Admission rules of a ClusterTopologyBinding (grove.md 1.10); upstream's tests match the fragments and the paths. */
import type { FieldError } from "../schema/validate.ts";
import type { GroveAdmissionOptions } from "./admission-options.ts";
import type { ClusterTopologyBinding } from "./cluster-topology-binding.ts";

export function validateClusterTopologyBinding(
  { spec }: ClusterTopologyBinding,
  { schedulerNames, topologyAwareSchedulerNames }: GroveAdmissionOptions,
): readonly FieldError[] {
  const bindings = spec.schedulerTopologyBindings ?? [];
  // The path keeps the field's former name, as upstream does.
  const path = (index: number): string => `spec.schedulerTopologyReferences[${index}].schedulerName`;
  const backendErrors = bindings.flatMap(({ schedulerName }, index): readonly FieldError[] => {
    if (!schedulerNames.includes(schedulerName)) {
      return [
        { field: path(index), message: `scheduler backend is not enabled in Grove: ${JSON.stringify(schedulerName)}` },
      ];
    }
    if (!topologyAwareSchedulerNames.includes(schedulerName)) {
      const message = `scheduler backend does not implement topology-aware scheduling: ${JSON.stringify(schedulerName)}`;
      return [{ field: path(index), message }];
    }
    return [];
  });
  return [
    ...repeated(
      spec.levels.map(({ domain }) => domain),
      (index) => `spec.levels[${index}].domain`,
    ),
    ...repeated(
      spec.levels.map(({ key }) => key),
      (index) => `spec.levels[${index}].key`,
    ),
    ...repeated(
      bindings.map(({ schedulerName }) => schedulerName),
      path,
    ),
    ...backendErrors,
  ];
}

function repeated(values: readonly string[], field: (index: number) => string): readonly FieldError[] {
  return values.flatMap((value, index) =>
    values.indexOf(value) < index
      ? [{ field: field(index), message: `Duplicate value: ${JSON.stringify(value)}; every entry must differ` }]
      : [],
  );
}
