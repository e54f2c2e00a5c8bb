/** Which open windows leave a hard rule no state: found by asking again without them. */
import { formatTime } from "../api/kubernetes/time.ts";
import type { OpenWindow } from "./schedule.ts";

/**
 * @param rules that are given up
 * @param givenUpWithout the rules that would be given up if these windows were not open
 * @returns by rule: each window without which alone it could be kept; else all, where it could be kept without any; else it is not in the map
 */
export function windowsBehind(
  rules: readonly string[],
  windows: readonly OpenWindow[],
  givenUpWithout: (names: ReadonlySet<string>) => ReadonlySet<string>,
): ReadonlyMap<string, readonly OpenWindow[]> {
  if (rules.length === 0 || windows.length === 0) return new Map();
  const without = (some: readonly OpenWindow[]) => givenUpWithout(new Set(some.map(({ name }) => name)));
  const alone = windows.map((window) => [window, without([window])] as const);
  const all = windows.length === 1 ? (alone[0] as (typeof alone)[0])[1] : without(windows);
  return new Map(
    rules.flatMap((rule) => {
      const behind = alone.filter(([, givenUp]) => !givenUp.has(rule)).map(([window]) => window);
      if (behind.length > 0) return [[rule, behind] as const];
      return all.has(rule) ? [] : [[rule, windows] as const];
    }),
  );
}

export function windowsText(windows: readonly OpenWindow[]): string {
  const texts = windows.map(
    ({ name, isEarly, untilMs }) => `${name} (${isEarly ? "about to open, " : "open "}until ${formatTime(untilMs)})`,
  );
  return texts.length === 1 ? `schedule ${texts[0]}` : `schedules ${texts.join(" and ")} together`;
}
