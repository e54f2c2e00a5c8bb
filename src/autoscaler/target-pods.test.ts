import { expect, test } from "vitest";
import { memberCliqueName, scalingGroupName, standaloneCliqueName } from "../grove/names.ts";
import { podRegexOf } from "./target-pods.ts";

/** As an API server makes it of a `generateName`. */
const podOf = (clique: string): string => `${clique}-x4k7z`;
const ofClique = (clique: string): string => podOf(standaloneCliqueName("llm", 1, clique));
const ofGroup = (group: string): string => podOf(memberCliqueName(scalingGroupName("llm", 1, group), 12, "worker"));
const matches = (regex: string, pod: string): boolean => new RegExp(`^(?:${regex})$`).test(pod);

test("a clique: its pods, and none of a target whose name begins alike", () => {
  const regex = podRegexOf("llm", { ref: "prefill", level: "PodClique" });
  expect([ofClique("prefill"), ofClique("prefill-long"), ofGroup("prefill-long"), ofClique("long-prefill")]).toSatisfy(
    ([own, ...others]: string[]) =>
      matches(regex, own ?? "") && others.every((other) => other !== own && !matches(regex, other)),
  );
});

test("a scaling group: the pods of all its cliques, and none of a target whose name begins alike", () => {
  const regex = podRegexOf("llm", { ref: "prefill", level: "PodCliqueScalingGroup" });
  expect(matches(regex, ofGroup("prefill"))).toBe(true);
  for (const other of [ofGroup("prefill-long"), ofClique("prefill-long"), podOf("other-0-prefill-0-worker")]) {
    expect(matches(regex, other), other).toBe(false);
  }
});
