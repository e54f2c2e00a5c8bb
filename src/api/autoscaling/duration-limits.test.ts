import { expect, test } from "vitest";
import { admit } from "../admission.ts";
import type { KubeObject } from "../kubernetes/meta.ts";
import { type DurationField, LONGEST_DURATIONS } from "./duration-limits.ts";

/** A policy with one duration in it. */
function withDuration(field: DurationField, text: string): KubeObject {
  const spec: Record<string, unknown> = {
    targetRef: { name: "llm" },
    scaleTargets: [{ name: "decode", level: "PodClique", ref: "decode", maxReplicas: 8 }],
  };
  const path = field.split(".");
  const last = path.pop() as string;
  if (path[0] === "schedules") spec["schedules"] = [{ name: "day", schedule: "* * * * *", [last]: text }];
  else if (field === "slo.window") spec["slo"] = { ttft: { target: "1s" }, window: text };
  else {
    const block = { [last]: text };
    Object.assign(
      spec,
      path.reduceRight<object>((inner, name) => ({ [name]: inner }), block),
    );
  }
  return {
    apiVersion: "autoscaling.grove.io/v1alpha1",
    kind: "ScalingPolicy",
    metadata: { name: "llm", namespace: "serving" },
    spec,
  } as unknown as KubeObject;
}

test.each(Object.entries(LONGEST_DURATIONS) as [DurationField, string][])(
  "%s is at most %s, and what is longer is told so",
  (field, longest) => {
    const errorsOf = (text: string): readonly string[] =>
      admit({ operation: "CREATE", object: withDuration(field, text) }).errors.map(
        (error) => `${error.field}: ${error.message}`,
      );
    const at = field.replace("schedules", "schedules[0]");
    expect(errorsOf(longest)).toEqual([]);
    for (const text of [`${longest}1s`, "9999999999h", `${"9".repeat(31)}h`])
      expect(errorsOf(text)).toEqual([`spec.${at}: "${text}" must be at most ${longest}; shorten it`]);
  },
);
