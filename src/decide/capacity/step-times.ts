/** How long one engine step takes, from a profile: its table where there is one, its fit beyond. Pure; ms and tokens. */
import type { PerformanceProfile } from "../../api/autoscaling/performance-profile.ts";

/**
 * One prompt alone on one rank.
 *
 * Attention to a cached prefix is paid although the prefix itself is not: 2 c2 × cached × new, the cross term of the fit's square.
 */
export function prefillMs({ prefill }: PerformanceProfile, newTokens: number, cachedTokens = 0): number {
  const [, c1, c2] = prefill.fit;
  const last = prefill.points.at(-1) as readonly [number, number];
  const beyond = newTokens - last[0];
  const alone =
    beyond <= 0
      ? interpolate(prefill.points, newTokens)
      : last[1] + c1 * beyond + c2 * (newTokens * newTokens - last[0] * last[0]);
  return alone + 2 * c2 * cachedTokens * newTokens;
}

/** One decode step of the whole worker, calibrated. Never falls as the batch or the context grows. */
export function decodeStepMs(profile: PerformanceProfile, batch: number, contextTokens: number): number {
  const { rows, fit } = profile.decode;
  const [, c1, c2] = fit;
  let most = 0;
  const byBatch = rows.map(([rowBatch, row]) => {
    const end = row.at(-1) as readonly [number, number];
    const beyond = Math.max(0, contextTokens - end[0]);
    most = Math.max(most, interpolate(row, contextTokens) + c2 * rowBatch * beyond);
    return [rowBatch, most] as const;
  });
  const last = byBatch.at(-1) as readonly [number, number];
  const more = Math.max(0, batch - last[0]);
  return profile.decodeMultiplier * (interpolate(byBatch, batch) + more * (c1 + c2 * contextTokens));
}

/** KV cache of a prompt from the prefill worker to the decode worker. */
export function kvTransferMs({ kvTransfer }: PerformanceProfile, tokens: number): number {
  if (kvTransfer === undefined) return 0;
  return kvTransfer.fixedMs + (tokens * kvTransfer.bytesPerToken) / kvTransfer.bytesPerMs;
}

/** Linear between points, the nearest point's value outside. */
function interpolate(points: readonly (readonly [number, number])[], x: number): number {
  let low = points[0] as readonly [number, number];
  if (x <= low[0]) return low[1];
  for (const high of points) {
    if (x <= high[0])
      return high[0] === low[0] ? high[1] : low[1] + ((high[1] - low[1]) * (x - low[0])) / (high[0] - low[0]);
    low = high;
  }
  return low[1];
}
