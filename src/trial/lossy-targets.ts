/** Scrape targets some of whose scrapes are lost on the way, each by itself. */
import type { Random } from "../random.ts";
import type { ScrapeTarget } from "../sim/prometheus/scraper.ts";

export function lossyTargets(
  targets: readonly ScrapeTarget[],
  lossRatio: number,
  random: Random,
): readonly ScrapeTarget[] {
  if (!(lossRatio > 0)) return targets;
  const lose = (): void => {
    throw new Error("context deadline exceeded");
  };
  return targets.map((target) =>
    random.next() < lossRatio
      ? { ...target, scrape: () => Promise.reject(new Error("context deadline exceeded")), write: lose }
      : target,
  );
}
