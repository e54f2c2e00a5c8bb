/**
 * When a status is written that differs only in times and the checkpoint: once a minute, and for a large fleet so seldom that all of them together are a
 * rate that an API server does not notice. What a person would see is written at once and does not wait here. The status itself says when the next one
 * comes, so that whoever leads by then keeps to it, and whoever reads knows when silence means something. Pure.
 */
import type { ScalingPolicyStatus } from "../api/autoscaling/scaling-policy-status.ts";
import { parseTime } from "../api/kubernetes/time.ts";
import type { Random } from "../random.ts";

/** What a restart of a small fleet may lose. */
const INTERVAL_MS = 60_000;
/** 25 a second: 10,000 policies take 400 s. With its checkpoint a status has up to tens of kilobytes, every write of which etcd keeps for a while. */
const EACH_MS = 40;
/** Nobody says more than this: the clock was set back. */
const LONGEST_MS = 3_600_000;

/** @returns how long after a status the next one comes; spread in a large fleet, whose first statuses were written all at once */
export function nextStatusInMs(policies: number, random: Random): number {
  const intervalMs = policies * EACH_MS;
  return intervalMs <= INTERVAL_MS ? INTERVAL_MS : Math.min(LONGEST_MS, intervalMs * (0.5 + random.next()));
}

export function isStatusDue(status: ScalingPolicyStatus | undefined, nowMs: number): boolean {
  const inMs = parseTime(status?.nextStatusBy ?? "") - nowMs;
  return !(inMs > 0 && inMs <= LONGEST_MS);
}
