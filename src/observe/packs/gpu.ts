/**
 * GPU duty cycle of dcgm-exporter, in [0, 1]. The profiling counter first: it is finer and it works on MIG; the device counter is a percentage.
 *
 * The pod that holds the GPU is in `exported_pod` (the exporter's own in `pod`) unless `honorLabels` is on.
 */
import { BY_POD, firstOf, type Term, WINDOW } from "../signal-query.ts";

export const GPU_BUSY: Term = firstOf(
  exported("DCGM_FI_PROF_GR_ENGINE_ACTIVE", ""),
  plain("DCGM_FI_PROF_GR_ENGINE_ACTIVE", ""),
  exported("DCGM_FI_DEV_GPU_UTIL", " / 100"),
  plain("DCGM_FI_DEV_GPU_UTIL", " / 100"),
);

function exported(name: string, scale: string): Term {
  const selector = `${name}{exported_pod!=""}`;
  const by = "by (exported_namespace, exported_pod)";
  return {
    query: `${renamed(`avg ${by} (avg_over_time(${selector}[${WINDOW}]))`)}${scale}`,
    freshnessQuery: renamed(`max ${by} (timestamp(${selector}))`),
  };
}

function plain(name: string, scale: string): Term {
  const selector = `${name}{exported_pod="",pod!=""}`;
  return {
    query: `avg ${BY_POD} (avg_over_time(${selector}[${WINDOW}]))${scale}`,
    freshnessQuery: `max ${BY_POD} (timestamp(${selector}))`,
  };
}

/** Under the labels that every other signal has, so that `or` falls back pod by pod. */
function renamed(query: string): string {
  const withPod = `label_replace(${query}, "pod", "$1", "exported_pod", "(.+)")`;
  return `max ${BY_POD} (label_replace(${withPod}, "namespace", "$1", "exported_namespace", "(.+)"))`;
}
