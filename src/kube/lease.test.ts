import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LEASES } from "../api/kubernetes/core.ts";
import { type Clock, VirtualClock } from "../clock.ts";
import { type Random, seededRandom } from "../random.ts";
import { createApiServer } from "../sim/api-server/api-server.ts";
import type { KubeApi } from "./kube-api.ts";
import { type Leadership, startLeaderElection } from "./lease.ts";

const KEY = { namespace: "default", name: "grove-autoscaler" };

/** Another machine's clock: set differently, and a little fast or slow. */
function skewed(clock: Clock, { offsetMs, rate }: { readonly offsetMs: number; readonly rate: number }): Clock {
  return {
    nowMs: () => clock.nowMs() * rate + offsetMs,
    monotonicMs: () => clock.monotonicMs() * rate,
    setTimer: (delayMs, callback) => clock.setTimer(delayMs / rate, callback),
    sleep: (delayMs, signal) => clock.sleep(delayMs / rate, signal),
  };
}

interface Link {
  isCut: boolean;
}

/** Requests take up to `maxLatencyMs` each way; on a cut link they are lost on the way there or back. */
function overNetwork(api: KubeApi, clock: Clock, random: Random, link: Link, maxLatencyMs: number): KubeApi {
  const travel = async (): Promise<void> => {
    await clock.sleep(random.next() * maxLatencyMs);
    if (!link.isCut) return;
    await clock.sleep(random.next() * 5_000);
    throw new Error("connection timed out");
  };
  const through = async <T>(call: () => Promise<T>): Promise<T> => {
    await travel();
    const answer = await call();
    await travel();
    return answer;
  };
  return {
    ...api,
    get: (resource, key) => through(() => api.get(resource, key)),
    create: (resource, object, options) => through(() => api.create(resource, object, options)),
    update: (resource, object, options) => through(() => api.update(resource, object, options)),
  };
}

interface Candidate {
  readonly leadership: Leadership;
  readonly life: AbortController;
  readonly link: Link;
}

const EVENTS = ["cut", "heal", "kill", "release", "none"] as const;
const event = fc.record({
  kind: fc.constantFrom(...EVENTS),
  who: fc.integer({ min: 0, max: 1 }),
  afterMs: fc.integer({ min: 0, max: 30_000 }),
});
const skew = fc.record({
  offsetMs: fc.integer({ min: -3_600_000, max: 3_600_000 }),
  rate: fc.double({ min: 0.97, max: 1.03, noNaN: true }),
});

describe("leader election", () => {
  test("two candidates never lead at the same time, through partitions, skewed clocks, deaths and hand-overs; and one leads in the end", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 25, size: "max" }),
        fc.tuple(skew, skew),
        fc.integer({ min: 0, max: 4_000 }),
        fc.integer(),
        async (events, skews, maxLatencyMs, seed) => {
          const clock = new VirtualClock();
          const random = seededRandom(seed);
          const server = createApiServer({ clock, random });
          let started = 0;
          const start = (who: number): Candidate => {
            const life = new AbortController();
            const link: Link = { isCut: false };
            const own = skewed(clock, skews[who] ?? { offsetMs: 0, rate: 1 });
            const api = overNetwork(server.api, clock, random, link, maxLatencyMs);
            const leadership = startLeaderElection({
              api,
              clock: own,
              random,
              signal: life.signal,
              ...KEY,
              identity: `candidate-${who}-${started++}`,
            });
            return { leadership, life, link };
          };
          const candidates = [start(0), start(1)];
          const leaders = (): number =>
            candidates.filter(({ leadership, life }) => !life.signal.aborted && leadership.isLeader()).length;
          // A process that has lost the lease ends, and its supervisor starts it again.
          const supervise = (): void => {
            for (const [who, { leadership, life, link }] of candidates.entries()) {
              if (!leadership.lost.aborted && !life.signal.aborted) continue;
              life.abort();
              const next = start(who);
              next.link.isCut = link.isCut;
              candidates[who] = next;
            }
          };
          const run = async (durationMs: number): Promise<void> => {
            for (let passedMs = 0; passedMs < durationMs; passedMs += 250) {
              await clock.advance(250);
              expect(leaders(), `${leaders()} leaders at ${clock.monotonicMs()} ms`).toBeLessThanOrEqual(1);
              supervise();
            }
          };

          for (const { kind, who, afterMs } of events) {
            await run(afterMs);
            const candidate = candidates[who];
            if (candidate === undefined) continue;
            if (kind === "cut") candidate.link.isCut = true;
            if (kind === "heal") candidate.link.isCut = false;
            if (kind === "kill") candidate.life.abort();
            if (kind === "release") void candidate.leadership.release().catch(() => undefined);
          }
          for (const { link } of candidates) link.isCut = false;
          await run(120_000);
          // With answers that take longer than the renew deadline nobody can lead for long.
          if (maxLatencyMs <= 1_000) expect(leaders()).toBe(1);
          for (const { life } of candidates) life.abort();
        },
      ),
      { numRuns: 60 },
    );
  });

  const election = (clock: Clock, api: KubeApi, identity: string, signal: AbortSignal): Leadership =>
    startLeaderElection({ api, clock, random: seededRandom(1), signal, ...KEY, identity });

  test("a lease that is given back is taken at the next look, a dead holder's after its duration", async () => {
    const clock = new VirtualClock();
    const { api } = createApiServer({ clock, random: seededRandom(1) });
    const first = new AbortController();
    const second = new AbortController();
    const a = election(clock, api, "a", first.signal);
    await clock.advance(1_000);
    const b = election(clock, api, "b", second.signal);
    await clock.advance(30_000);
    expect([a.isLeader(), b.isLeader()]).toEqual([true, false]);

    await a.release();
    first.abort();
    expect(a.isLeader()).toBe(false);
    expect(await clock.advanceUntil(b.isLeader, 2_500)).toBe(true);
    expect((await api.get(LEASES, KEY)).spec).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });

    second.abort();
    const c = election(clock, api, "c", new AbortController().signal);
    expect(await clock.advanceUntil(c.isLeader, 14_000)).toBe(false);
    expect(await clock.advanceUntil(c.isLeader, 5_000)).toBe(true);
  });

  test("a leader whose requests hang says at the deadline that it has lost the lease", async () => {
    const clock = new VirtualClock();
    const { api } = createApiServer({ clock, random: seededRandom(1) });
    let isHung = false;
    const hanging: KubeApi = {
      ...api,
      get: (resource, key) => (isHung ? new Promise<never>(() => undefined) : api.get(resource, key)),
    };
    const leadership = election(clock, hanging, "a", new AbortController().signal);
    await clock.advance(3_000);
    isHung = true;
    await clock.advance(8_900);
    expect([leadership.isLeader(), leadership.lost.aborted]).toEqual([true, false]);
    await clock.advance(200);
    expect([leadership.isLeader(), leadership.lost.aborted]).toEqual([false, true]);
  });

  test("giving back while a renewal is under way does not take the lease again", async () => {
    const clock = new VirtualClock();
    const { api } = createApiServer({ clock, random: seededRandom(1) });
    let isSlow = false;
    const slow: KubeApi = {
      ...api,
      async get(resource, key) {
        if (isSlow) await clock.sleep(500);
        return api.get(resource, key);
      },
    };
    const stop = new AbortController();
    const leadership = election(clock, slow, "a", stop.signal);
    await clock.advance(1_900);
    isSlow = true;
    await clock.advance(200);
    isSlow = false;
    const released = leadership.release();
    await clock.advance(5_000);
    await released;
    expect((await api.get(LEASES, KEY)).spec?.holderIdentity).toBe("");
  });
});
