/** The performance profile that a policy names, or why there is none. */
import { parseProfile } from "../api/autoscaling/performance-profile.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { ConfigMap } from "../api/kubernetes/core.ts";
import type { ProfileObservation } from "../decide/observation.ts";
import type { Informer } from "../kube/informer.ts";

/** Only ConfigMaps with this label are watched: a cluster has thousands of others, and none of them is ours to read. */
export const PROFILE_LABEL = "autoscaling.grove.io/performance-profile";
export const PROFILE_SELECTOR = `${PROFILE_LABEL}=true`;

/** The key that holds the profile; a ConfigMap with one key may call it what it likes. */
const KEY = "profile.json";

/** An object in a cache is never changed, so a parsed profile lasts as long as its object. */
const parsed = new WeakMap<ConfigMap, ProfileObservation>();

/** @param policy with or without its defaults */
export function needsProfile({ spec: { slo, performanceModel } }: ScalingPolicy): boolean {
  const isProfile = (performanceModel?.source ?? "Profile") === "Profile";
  return slo !== undefined && isProfile && performanceModel?.profileRef !== undefined;
}

/** Undefined where the policy needs none. */
export function profileOf(
  policy: ScalingPolicy,
  configMaps: Pick<Informer<ConfigMap>, "get" | "hasSynced" | "failure">,
): ProfileObservation | undefined {
  const { profileRef } = policy.spec.performanceModel;
  if (!needsProfile(policy) || profileRef === undefined) return undefined;
  const { namespace } = policy.metadata;
  if (!configMaps.hasSynced()) {
    const why = configMaps.failure() ?? "the first list is not there yet";
    return { kind: "Problem", reason: "ProfileUnread", message: `ConfigMaps are not read: ${why}` };
  }
  const configMap = configMaps.get(namespace, profileRef.name);
  if (configMap === undefined) {
    return {
      kind: "Problem",
      reason: "ProfileNotFound",
      message: `spec.performanceModel.profileRef.name: there is no ConfigMap "${profileRef.name}" with the label ${PROFILE_LABEL}: "true" in namespace ${namespace}: create it, or add the label`,
    };
  }
  const known = parsed.get(configMap);
  if (known !== undefined) return known;
  const read = readConfigMap(configMap);
  parsed.set(configMap, read);
  return read;
}

/** The profile in a ConfigMap, or what is wrong with it. */
export function readConfigMap({ metadata, data = {} }: ConfigMap): ProfileObservation {
  const keys = Object.keys(data);
  const key = keys.includes(KEY) ? KEY : keys.length === 1 ? keys[0] : undefined;
  const invalid = (field: string, message: string): ProfileObservation => ({
    kind: "Problem",
    reason: "ProfileInvalid",
    message: `ConfigMap ${metadata.name}: ${field} ${message}`,
  });
  if (key === undefined)
    return invalid("data", `has ${keys.length} keys and none is ${KEY}: name the profile's key so`);
  const result = parseProfile(data[key] ?? "");
  if (result.ok) return { kind: "Profile", profile: result.profile };
  const { field, message } = result.problem;
  return invalid(field === "" ? `data["${key}"]` : `data["${key}"]: ${field}`, message);
}
