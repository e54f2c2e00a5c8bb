import { expect, test } from "vitest";
import { admit } from "../admission.ts";
import type { KubeObject } from "../kubernetes/meta.ts";

interface Schedule {
  readonly schedule: string;
  readonly duration: string;
}

/** Warnings about schedules that meet and say the same thing. */
function overlapsOf(schedules: readonly Schedule[]): readonly string[] {
  const spec = {
    targetRef: { name: "llm" },
    scaleTargets: [{ name: "decode", level: "PodClique", ref: "decode", maxReplicas: 8 }],
    schedules: schedules.map((one, index) => ({
      ...one,
      name: `s${index}`,
      timeZone: "Europe/Berlin",
      bounds: { decode: { minReplicas: 1 } },
    })),
  };
  const object = {
    apiVersion: "autoscaling.grove.io/v1alpha1",
    kind: "ScalingPolicy",
    metadata: { name: "llm" },
    spec,
  };
  const { errors, warnings } = admit({ operation: "CREATE", object: object as unknown as KubeObject });
  expect(errors).toEqual([]);
  return warnings.filter((warning) => warning.includes("is open at the same time as"));
}

test.each<{ name: string; a: [string, string]; b: [string, string]; meets: boolean }>([
  { name: "a day and an hour of it", a: ["0 7 * * *", "13h"], b: ["0 12 * * *", "1h"], meets: true },
  { name: "one after the other", a: ["0 7 * * *", "1h"], b: ["0 8 * * *", "1h"], meets: false },
  { name: "over midnight", a: ["0 23 * * *", "2h"], b: ["30 0 * * *", "10m"], meets: true },
  // Of a daily one two months are listed: what is later is looked up.
  { name: "once in December and daily", a: ["30 7 24 12 *", "1h"], b: ["0 7 * * *", "1h"], meets: true },
  { name: "once in December, beside the daily one", a: ["0 9 24 12 *", "1h"], b: ["0 7 * * *", "1h"], meets: false },
  {
    name: "once in December, just before the daily one",
    a: ["30 6 24 12 *", "1h"],
    b: ["0 7 * * *", "1h"],
    meets: true,
  },
  { name: "from the old year into the new", a: ["0 5 1 1 *", "1h"], b: ["0 5 31 12 *", "72h"], meets: true },
  { name: "two days that never come together", a: ["0 5 1 3 *", "1h"], b: ["0 5 1 4 *", "1h"], meets: false },
])("$name: $meets", ({ a, b, meets }) => {
  const [first, second] = [a, b].map(([schedule, duration]) => ({ schedule, duration })) as [Schedule, Schedule];
  expect(overlapsOf([first, second]).length > 0).toBe(meets);
  expect(overlapsOf([second, first]).length > 0).toBe(meets);
});

test("as many schedules as there may be are looked at within the time that a server waits for a webhook", () => {
  const apart = Array.from({ length: 64 }, (_, index) => ({
    schedule: `${index % 60} ${Math.floor(index / 60)} * * *`,
    duration: "1s",
  }));
  expect(overlapsOf(apart)).toEqual([]);
});
