/** What one decision leaves for the next: plain JSON, bounded, checkpointed. */
import { type Recommendations, recordScaleEvent, type ScaleEvents } from "./behavior.ts";
import { resumeSloMemory, type SloMemory } from "./capacity/slo-memory.ts";
import { type FlapMemory, recordDirections } from "./flap.ts";
import type { ForecastMemory } from "./forecast/forecast.ts";
import type { StartupTimes } from "./forecast/lead-time.ts";
import type { Intent } from "./intent.ts";
import type { Observation } from "./observation.ts";
import type { PanicMemory } from "./panic.ts";
import type { Policy } from "./policy.ts";
import type { ReachMemory } from "./reach.ts";
import { MAX_BACKOFF_MS } from "./reach-limit.ts";
import type { ZeroMemory } from "./scale-to-zero.ts";
import type { ScaleWrite } from "./transition.ts";
import type { KnownMemory } from "./warm-up.ts";

export interface ObjectMemory {
  readonly recommendations: Recommendations;
  readonly events: ScaleEvents;
}

export interface Memory {
  /** By `target/setIndex`, and `sets`. */
  readonly objects: Readonly<Record<string, ObjectMemory>>;
  /** By target. */
  readonly forecasts: Readonly<Record<string, ForecastMemory>>;
  /** Decisions in a row without a usable metric, by target. */
  readonly failures: Readonly<Record<string, number>>;
  /** By target that can panic. */
  readonly panics: Readonly<Record<string, PanicMemory>>;
  /** By target: the last start-up times. */
  readonly startupsMs: StartupTimes;
  readonly decisions: number;
  /** By target: changes of direction. */
  readonly flaps: Readonly<Record<string, FlapMemory>>;
  /** By target: when its demand was known. */
  readonly known: Readonly<Record<string, KnownMemory>>;
  /** By key of `in-flight.ts`: since when. */
  readonly inFlightSinceMs: Readonly<Record<string, number>>;
  /** By target: what could be had when more was asked for. */
  readonly reach: Readonly<Record<string, ReachMemory>>;
  readonly zero?: ZeroMemory;
  /** What latency goals have learned; absent without goals. */
  readonly slo?: SloMemory;
  /** Only in a checkpoint: what was about to be written when it was made. */
  readonly intent?: Intent;
}

export const emptyMemory: Memory = {
  objects: {},
  forecasts: {},
  failures: {},
  panics: {},
  startupsMs: {},
  decisions: 0,
  flaps: {},
  known: {},
  inFlightSinceMs: {},
  reach: {},
};

/** Start-up times that are remembered: enough for a p90, few enough to follow a changed image. */
const MAX_STARTUPS = 50;
/** A day: what is said to have taken longer is two times that do not fit together. */
const MAX_STARTUP_MS = 86_400_000;

/** With those that were just measured, of the targets that there are. */
export function rememberStartups(
  known: StartupTimes,
  measured: Observation["startupsMs"],
  { targets }: Policy,
): StartupTimes {
  const names = new Set(targets.map(({ name }) => name));
  if (measured.length === 0 && Object.keys(known).every((name) => names.has(name))) return known;
  const entries = targets.flatMap(({ name }) => {
    const now = measured.flatMap(([target, startupMs]) =>
      target === name && startupMs >= 0 && startupMs <= MAX_STARTUP_MS ? [startupMs] : [],
    );
    const all = [...(known[name] ?? []), ...now].slice(-MAX_STARTUPS);
    return all.length === 0 ? [] : [[name, all] as const];
  });
  return Object.fromEntries(entries);
}

/** The memory after `writes` were really made: rate limits count what happened, not what was wished for. */
export function recordWrites(memory: Memory, policy: Policy, writes: readonly ScaleWrite[], nowMs: number): Memory {
  if (writes.length === 0) return memory;
  const objects: Record<string, ObjectMemory> = { ...memory.objects };
  for (const { level, target, setIndex, from, to } of writes) {
    const isSet = level === "PodCliqueSet";
    const behavior = (isSet ? policy.set : policy.targets.find(({ name }) => name === target))?.behavior;
    if (behavior === undefined) continue;
    const key = isSet ? SETS_KEY : objectKey(target, setIndex ?? 0);
    const known = objects[key] ?? { recommendations: [], events: [] };
    objects[key] = { ...known, events: recordScaleEvent(known.events, nowMs, to - from, behavior) };
  }
  return { ...memory, objects, flaps: recordDirections(memory.flaps, writes, nowMs) };
}

/** As a restart takes it up: half of what there is of many set replicas. */
export const withoutWindows = (memory: Memory): Memory => ({
  ...memory,
  objects: Object.fromEntries(
    Object.entries(memory.objects).map(([key, { events }]) => [key, { recommendations: [], events }]),
  ),
});

/**
 * What a restart goes on with. Nobody watched in between, so stabilization windows start anew: nothing goes down for a whole one. Times ahead of
 * the clock, which was set back meanwhile, would count for ever: changes count as made now, panic ends, and forecasts start anew.
 */
export function resumeMemory(stored: Memory, nowMs: number): Memory {
  const objects = Object.fromEntries(
    Object.entries(withoutWindows(stored).objects).map(([key, { recommendations, events }]) => [
      key,
      { recommendations, events: events.map(([atMs, change]) => [Math.min(atMs, nowMs), change] as const) },
    ]),
  );
  const past = (atMs: number): number => Math.min(atMs, nowMs);
  const flaps = Object.fromEntries(
    Object.entries(stored.flaps).map(([key, { direction, reversalsMs }]) => [
      key,
      { direction, reversalsMs: reversalsMs.map(past) },
    ]),
  );
  const known = Object.fromEntries(
    Object.entries(stored.known).map(([key, { atMs, seen }]) => [
      key,
      { atMs: past(atMs), ...(seen === undefined ? {} : { seen }) },
    ]),
  );
  const reach = Object.fromEntries(
    Object.entries(stored.reach).filter(([, { untilMs }]) => untilMs <= nowMs + MAX_BACKOFF_MS),
  );
  const isBehind = Object.values(stored.forecasts).some(({ history }) => (history.at(-2) ?? 0) > nowMs);
  const forecasts = isBehind ? {} : stored.forecasts;
  const slo = stored.slo === undefined ? {} : { slo: resumeSloMemory(stored.slo, nowMs) };
  const panics = isBehind ? {} : (stored.panics ?? {});
  // One list for all targets, as checkpoints of before had it, says nothing about any of them.
  const startupsMs = Array.isArray(stored.startupsMs) ? {} : stored.startupsMs;
  return { ...stored, startupsMs, objects, flaps, known, reach, forecasts, panics, ...slo };
}

/** Keys of `Memory.objects`. */
export const objectKey = (target: string, setIndex: number): string => `${target}/${setIndex}`;
export const SETS_KEY = "sets";
