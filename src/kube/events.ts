/** Writes core/v1 Events, what `kubectl describe` shows under an object. */
import { EVENTS, type Event } from "../api/kubernetes/core.ts";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import { formatTime } from "../api/kubernetes/time.ts";
import type { Clock } from "../clock.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { Random } from "../random.ts";
import type { KubeApi } from "./kube-api.ts";

/** How long the same event about the same object is counted up instead of written anew (client-go: 10 minutes). */
const AGGREGATE_MS = 600_000;
/** Objects whose last events are remembered; 1,000 × a few hundred bytes. */
const MAX_REMEMBERED = 1_000;
/** Events on their way; what the server does not take in time is not worth waiting for. */
const MAX_IN_FLIGHT = 50;
/** Events of one object: a burst of 25, then one every 5 minutes, as client-go's spam filter. */
const BURST = 25;
const REFILL_MS = 300_000;

export interface EventRecorder {
  /** Fire and forget: an event that cannot be written is logged, never thrown. */
  event(object: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void;
}

export interface EventRecorderOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  /** `source.component`, e.g. `podclique-controller`. */
  readonly component: string;
  /** Reasons that the limit per object does not hold back, nor count: each is a change that was made. */
  readonly alwaysWritten?: ReadonlySet<string>;
  readonly log?: Logger;
}

interface Remembered {
  readonly key: { readonly namespace: string; readonly name: string };
  count: number;
  readonly firstTimestamp: string;
  atMs: number;
}

interface Allowance {
  tokens: number;
  atMs: number;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { api, clock, random, component, alwaysWritten, log = silentLogger } = options;
  const remembered = new Map<string, Remembered>();
  const allowances = new Map<string, Allowance>();
  let inFlight = 0;

  const allowed = (objectKey: string): boolean => {
    const now = clock.monotonicMs();
    const known = allowances.get(objectKey) ?? { tokens: BURST, atMs: now };
    const tokens = Math.min(BURST, known.tokens + (now - known.atMs) / REFILL_MS);
    const isAllowed = tokens >= 1;
    // What is refused takes nothing: else an object that is loud would never be heard again.
    remember(allowances, objectKey, { tokens: isAllowed ? tokens - 1 : tokens, atMs: now });
    return isAllowed;
  };

  return {
    event(object, type, reason, message) {
      const { namespace = "default", name, uid } = object.metadata;
      const objectKey = `${object.kind}/${namespace}/${name}/${uid}`;
      const isLimited = alwaysWritten?.has(reason) !== true;
      if ((isLimited && !allowed(objectKey)) || (type === "Normal" && inFlight >= MAX_IN_FLIGHT)) return;
      inFlight++;
      const key = `${objectKey}/${type}/${reason}/${message}`;
      const now = formatTime(clock.nowMs());
      const known = remembered.get(key);
      const written =
        known !== undefined && clock.monotonicMs() - known.atMs < AGGREGATE_MS
          ? countUp(known, now)
          : writeNew(object, { type, reason, message, now, key });
      written
        .catch((error: unknown) => log.warn({ reason, object: objectKey, error: String(error) }, "event not written"))
        .finally(() => inFlight--);
    },
  };

  async function countUp(known: Remembered, now: string): Promise<void> {
    known.count++;
    known.atMs = clock.monotonicMs();
    await api.patch(EVENTS, known.key, { count: known.count, lastTimestamp: now }, { type: "merge" });
  }

  async function writeNew(
    object: KubeObject,
    { type, reason, message, now, key }: Pick<Event, "type" | "reason" | "message"> & { now: string; key: string },
  ): Promise<void> {
    const { namespace = "default", name, uid } = object.metadata;
    const suffix = Math.floor(random.next() * 2 ** 52)
      .toString(16)
      .padStart(13, "0");
    const event: Event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${name}.${suffix}`, namespace },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        namespace,
        name,
        ...(uid === undefined ? {} : { uid }),
      },
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component },
      reportingComponent: component,
      reportingInstance: component,
    };
    remember(remembered, key, {
      key: { namespace, name: event.metadata.name },
      count: 1,
      firstTimestamp: now,
      atMs: clock.monotonicMs(),
    });
    await api.create(EVENTS, event);
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_REMEMBERED) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
