import { expect, test } from "vitest";
import { formatTime } from "../api/kubernetes/time.ts";
import { isSilent } from "../cli/explain/silence.ts";
import { seededRandom } from "../random.ts";
import { isStatusDue, nextStatusInMs } from "./status-pace.ts";

const TURN_MS = 15_000;

interface Fleet {
  /** At a moment. */
  readonly policies: (atMs: number) => number;
  readonly forMs: number;
  /** Nobody turns in it: another process takes over. */
  readonly gapMs?: readonly [number, number];
}

/** Every policy turns each 15 s, by itself. @returns the times of all writes, and how many looks found a policy silent */
function play({ policies, forMs, gapMs = [0, 0] }: Fleet) {
  const random = seededRandom(1);
  const statuses = new Map<number, { nextStatusBy: string; lastDecision: { time: string } }>();
  const written: number[] = [];
  let silent = 0;
  for (let nowMs = 0; nowMs < forMs; nowMs += 1_000) {
    const count = policies(nowMs);
    for (let policy = (nowMs / 1_000) % (TURN_MS / 1_000); policy < count; policy += TURN_MS / 1_000) {
      const status = statuses.get(policy);
      if (isSilent({ spec: {}, status } as never, nowMs) === true) silent++;
      if (nowMs >= gapMs[0] && nowMs < gapMs[1]) continue;
      if (status !== undefined && !isStatusDue(status as never, nowMs)) continue;
      const nextStatusBy = formatTime(nowMs + nextStatusInMs(count, random));
      statuses.set(policy, { nextStatusBy, lastDecision: { time: formatTime(nowMs) } });
      written.push(nowMs);
    }
  }
  return { written, silent };
}

test("a few policies are written once a minute", () => {
  const { written, silent } = play({ policies: () => 50, forMs: 600_000 });
  expect(written).toHaveLength(50 * 10);
  expect(silent).toBe(0);
});

test("thousands come to 25 writes a second, however much all began at once", () => {
  const { written, silent } = play({ policies: () => 2_000, forMs: 900_000 });
  const settled = written.filter((ms) => ms >= 450_000);
  const rates = [...Map.groupBy(settled, (ms) => Math.floor(ms / 10_000)).values()].map(({ length }) => length / 10);
  // Each is written at its next turn.
  expect(settled.length / 450).toBeCloseTo(2_000 / (80 + 7.5), 0);
  expect(Math.max(...rates)).toBeLessThan(40);
  expect(silent).toBe(0);
});

test("nobody is silent who is decided about: not in a fleet that grows, nor when another process takes over", () => {
  const grows = (atMs: number): number => (atMs < 300_000 ? 1_000 : 2_000);
  expect(play({ policies: grows, forMs: 900_000 }).silent).toBe(0);
  for (const count of [1_500, 2_000])
    expect(play({ policies: () => count, forMs: 600_000, gapMs: [300_000, 325_000] }).silent).toBe(0);
  expect(play({ policies: () => 500, forMs: 600_000, gapMs: [200_000, 500_000] }).silent).toBeGreaterThan(500);
});

test("a status that does not say when, or says what no clock of now says, is due", () => {
  expect(isStatusDue(undefined, 0)).toBe(true);
  expect(isStatusDue({ nextStatusBy: "soon" }, 0)).toBe(true);
  expect(isStatusDue({ nextStatusBy: formatTime(2 * 3_600_000) }, 0)).toBe(true);
  expect(isStatusDue({ nextStatusBy: formatTime(60_000) }, 59_000)).toBe(false);
  expect(isStatusDue({ nextStatusBy: formatTime(60_000) }, 60_000)).toBe(true);
});
