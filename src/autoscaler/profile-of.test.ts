import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { ConfigMap } from "../api/kubernetes/core.ts";
import type { Informer } from "../kube/informer.ts";
import { PROFILE_LABEL, profileOf } from "./profile-of.ts";

const shipped = parse(
  readFileSync(new URL("../../policies/prefill-decode-slo/profile.yaml", import.meta.url), "utf8"),
) as ConfigMap;

const policy = (spec: object): ScalingPolicy =>
  ({ metadata: { namespace: "serving", name: "p" }, spec: { slo: {}, ...spec } }) as unknown as ScalingPolicy;
const named = policy({ performanceModel: { source: "Profile", profileRef: { kind: "ConfigMap", name: "x" } } });

function read(configMap: ConfigMap | undefined, of = named) {
  const informer = { get: () => configMap } as unknown as Informer<ConfigMap>;
  return profileOf(of, informer);
}
const withData = (data: Record<string, string>): ConfigMap => ({ ...shipped, data });

test("the shipped profile is read, once per object", () => {
  const first = read(shipped);
  expect(first).toMatchObject({ kind: "Profile", profile: { name: "llama-3.1-8b-bf16-h100-tp1", maxRequests: 1024 } });
  expect(read(shipped)).toBe(first);
  expect(shipped.metadata.labels?.[PROFILE_LABEL]).toBe("true");
});

test("policies that need none get none", () => {
  expect(read(shipped, policy({ performanceModel: { source: "Online" } }))).toBeUndefined();
  expect(read(shipped, policy({ slo: undefined, performanceModel: { source: "Profile" } }))).toBeUndefined();
});

test("what is missing or broken is named with its way out", () => {
  expect(read(undefined)).toMatchObject({
    reason: "ProfileNotFound",
    message: expect.stringContaining(`add the label`),
  });
  const text = shipped.data?.["profile.json"] ?? "";
  expect(read(withData({ any: text }))).toMatchObject({ kind: "Profile" });
  expect(read(withData({ a: text, b: text }))).toMatchObject({
    reason: "ProfileInvalid",
    message: expect.stringContaining("profile.json"),
  });
  expect(read(withData({}))).toMatchObject({ reason: "ProfileInvalid" });
  const broken = text.replace('"worker_tokens": 431948', '"worker_tokens": -1');
  expect(read(withData({ "profile.json": broken }))).toMatchObject({
    reason: "ProfileInvalid",
    message: expect.stringContaining("kv_cache.decode.worker_tokens must be a number"),
  });
});
